"""Writes kernelzone/fingerprint_words.py anew from the EFF's long list of words.

    scripts/fingerprint_words.py eff_large_wordlist.txt > kernelzone/fingerprint_words.py

The rule: words of 4 to 7 lower-case letters, without those of AVOIDED; of the words that begin with the same four
letters the shortest, then the first of the alphabet; of these the 2 048 shortest, in the order of the alphabet.
Changing the rule or AVOIDED changes every fingerprint.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

WORDS = 2048

# What nobody wants to read to a colleague by telephone (bodies, drugs, sickness, violence, insults, faiths, peoples),
# names of makers, and words that sound like another one here.
_AVOIDED = """
    aids ambush anemia anemic armed army arson aroma apache aorta atom autism avenge badass barf bash bitch blah bleed
    blow boned bony booty bong boob botch bovine bribe brute bust busty cage cavity celtic chaste chemo chess chest
    chubby chump clammy coma cone corset cripple crotch cult curse cusp cussed dagger dead deface defile deity demise
    dork douche dude dumb dwarf dweeb easter ebay eskimo evil facial fang fatal fetal fetus fleshy fluid fool flog
    freak french fried gerbil gigolo gland goon google gonad gore gory gout grave graves greedy grope groin groom
    grub grunt gulp gunk guts hacked hacker hate hatred hazing hell hobo hulk hump humped hurt hussy idiocy idiot
    impale infect insane ipad iphone ipod itunes jihad john junk junkie kill kinky kung knife lard lice lunacy lurk
    lusty lust maggot maimed mangle mating menace moaner mooned mortal mummy muslin musket mutant mutt naked nanny
    napalm nappy nazi nerd nude nutty opium organ orgy oriental pagan pang panty pants pauper pelvis perv phobia
    pimp pistol pogo poison polio poop pope poppy porn possum pot prick prissy prison prozac prude prune pubic
    puke pus queer rabid racism racing rage ravage rectal redneck retard riot rotten ruined sadden scab scabby scalp
    scar scared septic sewage sexy shaft shame shank shit slam slap slave slay slain slimy slit slob slug slum slur
    slut smite smut snot spank spew spit spleen squid squaw stab stalk stench sterile strip stupid stupor suck sulk
    suicide swine taliban tampon thong throb thug toxic tramp trash trump tubby tummy turd twerp ugly ulcer undead
    unholy urine uterus vagina valium velcro venom vermin viagra viral virus voodoo vulgar weapon weed whack whip
    whore wimp witch womb wound xbox xerox yahoo yank zombie
    seduce ogle ovary poach mace lynch sultry
    wherever flour knight knot maze mail male meet night pail peace peal plane pray rain reign role route sale seen
    sole stair steal tale tail through vain vein wade wait weight weather wring wry ate aisle aloud altar
"""
AVOIDED = frozenset(_AVOIDED.split())

HEAD = '''"""The 2 048 words of fingerprints, told apart by their first four letters.

Made by scripts/fingerprint_words.py, which says by which rule.
Source: EFF's long word list, Joseph Bonneau, Electronic Frontier Foundation, 2016, Creative Commons Attribution 3.0 US.
"""

from __future__ import annotations

from typing import Final

'''


def chosen(words: list[str]) -> list[str]:
    """Return the 2 048 words of the list, in their order."""
    fit = [word for word in words if word.isascii() and word.isalpha() and word.islower() and 4 <= len(word) <= 7]
    by_beginning: dict[str, list[str]] = {}
    for word in sorted(set(fit) - AVOIDED, key=lambda word: (len(word), word)):
        by_beginning.setdefault(word[:4], []).append(word)
    first = sorted((found[0] for found in by_beginning.values()), key=lambda word: (len(word), word))
    return sorted(first[:WORDS])


def main(path: str) -> None:
    """Print the module."""
    # the published file has the throw of five dice before each word
    words = [line.split()[-1] for line in Path(path).read_text(encoding="ascii").splitlines() if line.strip()]
    text = textwrap.fill(" ".join(chosen(words)), width=116)
    sys.stdout.write(f'{HEAD}_TEXT: Final = """\n{text}\n"""\n\nWORDS: Final[tuple[str, ...]] = tuple(_TEXT.split())\n')


if __name__ == "__main__":
    main(sys.argv[1])
