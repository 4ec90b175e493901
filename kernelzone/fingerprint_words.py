"""The 2 048 words of fingerprints, told apart by their first four letters.

Made by scripts/fingerprint_words.py, which says by which rule.
Source: EFF's long word list, Joseph Bonneau, Electronic Frontier Foundation, 2016, Creative Commons Attribution 3.0 US.
"""

from __future__ import annotations

from typing import Final

_TEXT: Final = """
abacus abide ablaze able abroad absurd accent aching acid acorn acre acting acts afar affair affix afford aflame
afloat afoot afraid aged agent aghast agile aging agony agreed ahead ahoy aide ajar alarm album alias alibi aliens
alike alive almost aloe aloft aloha alone aloof alto alumni always amaze amber amends amid amigo amino amiss among
amount ample amuck amulet amused anchor anew anger angled anime ankle annex anthem antics antler antsy anvil anyhow
anyone anyway appear apple april apron aptly aqua area arena argue arise armful arming armory arose around array
arrest arrive ascend ashen ashy aside askew asleep aspect aspire astute atlas atop atrium attach attest attic audio
august author avatar avenue avert avid avoid await awaken award awhile awning awoke awry axis babble babied baboon
backed bacon badge badly baffle bagel bagful baggy baked baking balmy bamboo banana banish banjo banked banner
banter barbed barge barley barman barn barrel basil basket batboy batch bath baton bats battle bauble blade blame
blank blast blazer bleak bleep blend bless blimp bling blip blitz blob blog blot blouse bluff bluish blunt blurb
blush boat bobbed bobcat body bogged bogus boil bolt bonded boney bonnet bonsai bonus book booth boozy borax boring
boss botany both bottle bounce boxcar boxer boxing boxy breach breeze briar brick bride bright brim bring broken
bronco brook browse brunt brush bubble bucked buddy budget buffed buggy bulb bulge bulk bully bunch bundle bungee
bunion bunny bunt busboy bush busily buzz cabana cabbie cable cache cackle cacti caddy cadet cake calm cameo camper
canal cancel candy cane canine canned canon canyon cape capped carat carbon carded caress cargo caring carol carry
cartel carve case cash casing casket catchy catnap catsup catty caucus cause caviar cedar celery cement census chafe
chain chant chaos chaps charm chase chatty cheek chef cherub chevy chewy chief chili chimp chip chirpy chive choice
chomp choosy chop chosen chrome chuck chug chummy chunk churn chute cider cinch cinema circle citric city civic clad
claim clamp clang clash clause claw clay clean cleft clench clerk clever client cling clip clique cloak clock clone
cloud clover clump clunky clutch coach coat cobalt cobweb cocoa coerce coffee coil coke cola cold collar colony colt
come comfy comic comma compel conch cope copied copper copy coral cork corny corral cortex cosmic cost cotton couch
cough could county cover cozily cozy cradle crafty cramp crane crate crave crayon crazy crease credit creed creme
creole crepe crib cried crimp cringe crispy croak crock crook crop cross crouch crowd crumb crust crux crying cube
cuddle cupid cupped curdle cure curfew curing curly curry cursor curtly curve cushy cycle cymbal daily dainty dairy
daisy dance dandy danger dares darn dart dash data dating dawn daybed deacon dealt dean debate debit debtor debug
decaf deceit deck decoy decree deduce deed deem deepen defame defeat define defog deftly defuse defy degree delay
delete delta deluge demote denim denote dense dental deny depict deploy deport depth deputy derail derby detail
detest deuce device dial diaper diary dice dicing dill dilute dime dimly dimmed dimple diner dingo dining dinner
dipped disarm dish disk dismay disown ditch ditto ditzy diving dizzy doable docile dock dodge doily doing dole dolly
domain donor donut doodle doozy dorsal dosage dose dotted dove down dowry doze drab drank draw dreamt drench dress
drew dried drift drippy driven drone drool drove drown drudge drum dubbed ducky duct duffel dugout duke duller duly
dupe duplex duress during dusk dust duty duvet each eagle earful early earthy earwig easel easily eaten eating eats
ebony ebook ecard echo eclair edge edging edgy editor effort egging eggnog either eject elated elbow eldest eleven
elite elixir elope elude elves email embark ember emblem embody emcee emit emote empty enable enamel encode ended
ending energy engine engulf enrage enrich enroll ensure entail entire entomb entrap envoy envy enzyme epic equal
equity erased errand error erupt essay estate ether ethics evade even evict evoke evolve exact excess excuse exert
exes exhale exhume exile exit exodus expand expel expire expose extent extras fable fabric facing factor fade fading
falcon fall false fame family fancy faster faucet feast fedora feeble feed feel feisty feline femur fence fender
ferry fervor fester fetch fever fiber fiddle fifth figure filing filled film filth finale finch finer finite five
flail flaky flame flap flask flatly fled flick flier flight fling flip flirt float flock flop floral floss flyer
flying foam foil folic folk follow fondly font food footer fossil foster foyer frail frame frays freely frenzy fresh
friday friend frill fringe frisk frolic from front frosty froth frown frozen fruit frying gaffe gains gala galley
galore game gaming gamma gander gangly garage garden gargle garlic garnet garter gating gauze gave gawk gazing gear
gecko geek geiger gender genre gents getup giant giblet giddy gift giggle gills girdle given giving gizmo glade
glance glare glass glider glitch gloomy glory gloss glove glue gluten gnarly gnat goal goes going golf gone gong
good gooey goofy gopher gorged gossip gothic gotten gown grab graded grain grant grape grasp gravy gray green grew
grid grief grill grime grinch grip grit groggy groove grout grove growl grudge grunge guide guise gulf gully gummy
gurgle guru gush gusto gutter haiku half halt halved hamlet hamper handed hangup hanky happy harbor hardy harsh hash
hassle haste hatbox haunt haven hazard hazily hazy headed heap heat heave hedge hefty helium helmet helper hence
henna herald herbs hermit hertz hubcap huddle huff hula hull human humble humid hummus humvee hunger hunk hunter
hurdle hurled hurry hush husked hybrid hyphen icing icky icon idiom idly igloo ignore iguana image impart impish
imply impose impure iodine irate iron issue item ivory jackal jailer jargon jaunt java jawed jaws jazz jeep jelly
jersey jester jiffy jigsaw jimmy jingle jinx jockey jogger jolly jolt jovial joyous judge judo juggle juice july
jumbo jump june junior jurist juror jury justly kabob karate karma kebab keenly keep kelp kennel kept kettle kick
kiln kilt kimono kindle king kisser kite kitty kiwi knee knelt knoll koala kooky kosher kudos ladder ladies ladle
lagged lagoon lair lake lance landed lanky lapdog lapel lapped laptop large lark lash lasso last latch late lather
latter launch laurel lavish lazily lazy left legal legend legged lego legume lemon lend length lens lent lesser
letter level liable life lifter likely liking lilac lilly lily limb limes limit line lingo lining linked lint lion
liquid lisp list litmus litter lived living lizard lucid lugged lumber lunar lung lurch lure lushly luster luxury
lying lyrics macaw magma maker making malt mama mammal mango manila manly manned manor mantis manual many march
mardi margin marina marlin maroon marry marshy mascot mashed masses math matrix matted mauve maybe mayday mobile
mocha mocker modify module molar mold monday moody mooing morale morse mosaic mossy most motion motor motto mouse
mouth move movie mower mowing much muck mulch mule mulled mumbo mumps muppet mural murky museum mushy music musky
musty mutate mute mutiny mutual muzzle myself myth nacho nail name naming nape napkin napped narrow native nature
navy nearby neatly nebula nectar negate neon nephew nervy nest neuron neuter never next nibble niece nifty nimble
ninja ninth nuclei nugget number nutmeg nuzzle nylon oasis object oblong oboe obtain obtuse occupy ocean ocelot
octane oink okay olive omega omen omit onion online only onset onto onward onyx oops ooze oozy opal open oppose
other otter ouch ought ounce outage outbid outer outfit outing outlet output outwit oval oven oxford oxygen oyster
ozone paced pacify padded pager paging palace palm paltry panama panda panic pantry papaya paper parade parcel
pardon parish parka parlor parole parrot party pasta patchy path patio patrol paver paving pawing payday payee
paying pebble pecan pectin pellet pelt pencil penny penpal perch perish perky perm pesky peso pester petal petite
petri petty phony photo phrase plank plasma plated player plaza pleat pledge plenty plod plop plot plow ploy pluck
plug plural plus poem poet pointy poise poker poking polar police polka polo poncho pond pony poplar popper pork
porous portal poser posh posing postal pouch pound pout power powwow prance prayer precut prefix prelaw prepay press
pretty prewar pried primp print prior prism prize probe prone proofs props proton proud proved proxy public pucker
pueblo pull pulp pulse puma pumice pummel punch punk pupil puppy purely purge purify purple purr purse pushy putt
puzzle python quack quail quake qualm quarry quench query quiet quill quirk quit quiver quote race rack racoon radar
radio raffle raft ragged raging raider raisin rake raking rally ramble ramp ramrod ranch random ranged ranked rants
rare rarity rascal rash raven ravine reach ream reason rebate rebel reboot rebuff recall recede recite recoil refill
reflex refold refund regain reggae regime rehab reheat rehire rejoin relax relic reload rely remake remedy remix
remold rename rental reopen repair repeal reply repose reps rerun resale reset resize resort result retail retold
retry return retype reuse reveal revise revoke reward rewind reword rewrap rhyme ribbon rice riches ridden ride
riding rift rigid rigor rimmed rind rink rinse ripple rise rising risk ritzy rival roamer roast robe robin robust
rocky rogue roman romp rope roping roster rosy rover roving royal rubbed ruby ruckus rudder rule rumble rumor runny
runt runway rural ruse rush rust sacred sadly safari safely saga sage saggy said saint sake salad saline salon salsa
salt salute same sample sandy sank santa sappy sash sassy satin saucy sauna savage saved savior savor scale scam
scant scarf scenic scheme scion scoff scone scoop scope scorn scotch scouts scrap screen scribe scroll scuba scuff
scurvy second secret sector sedan seldom self senate send senior sepia septum sequel series sermon serve sesame
settle setup shabby shack shady shaky shale shanty shape share shawl sheath shed sheep shelf sherry shield shifty
shimmy shine ship shirt shock shone shore shout shove shown shrank shriek shrug shun shush shut siding sierra siesta
sift silent silica silk silly silo silt silver simile simple singer sinner siren sister sitcom sitter sixth size
sizing sizzle skater sketch skewed skid skied skiing skinny skirt skype slab slacks slang slate slaw sled sleek
slept slick slider slinky slip sliver slogan sloped slot sludge slurp slush small smell smile smirk smith smock smog
smoky smooth smudge smugly snack snap snare snazzy sneak sneer snide sniff snitch snooze snore snout snowy snub
snuff snugly speak specks speed spent sphere sphinx spider spied spiffy spill spiny spiral splice spoils spoken
sponge spoof spore spotty spout spray spree sprig sprout spruce spry spud spur squad squeak squint stable stack
staff stage stamp stand staple stark stash state stays steam steed stem step stereo stew stick stifle stilt stingy
stir stitch stock stoic stoke stole stomp stony stood storm stout stove straw strep strict strobe strum stuck study
stuffy stump stung sturdy stylus suave sublet subpar subtly suburb subway such sudden sudoku suds suffix sugar suing
suitor sulfur sullen supper surely surfer survey sushi swab swan swarm sway swear sweep swell swept swerve swipe
swirl switch swivel swoop swore swung syrup system tabby tables tacky taco take taking talcum tall talon tamale
tamer tamper tank tanned taps target tarmac tarot tartar task tassel taste tattle taunt tavern thank that thaw thee
theft theme these thigh thing thirty thorn those thrash thread thrift throat thud thumb thus tiara tibia tidal
tidbit tidy tiger tile tiling till tilt timid tingle tinker tinsel tint tiny tipoff tipped tiptop tiring tissue
trace trade train trance traps travel tray treat treble tree tremor trend trial tricky tried trifle trio tripod
trophy trout trowel truce trunks truth tulip tumble turban turf turkey turret turtle tusk tutor tutu tweak tweed
twice twig twine twirl tying tyke udder ultra uncle uncut unify union unit unlit untie unwed unzip upon upper urban
usage used user usher usual utter valid value veal vegan venue verse very vest veto vibes vice video viper visa
visor vista vixen voice void voter vowed wafer waged wagon wake walk waltz wand wasp watch water wavy wham wharf
wheat whiff whiny whole wick widen widow width wife wifi wilt wince wind wing wipe wired wiry wise wish wispy wolf
woof wool woozy word work worry worst woven wrath wrist yard yarn yeah yeast yelp yield yodel yoga yoyo yummy zebra
zero zesty zippy zips zone zoom
"""

WORDS: Final[tuple[str, ...]] = tuple(_TEXT.split())
