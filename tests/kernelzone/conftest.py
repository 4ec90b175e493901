"""`make fast` looks at fewer examples of each property, to be done in seconds; every other run looks at them all."""

from hypothesis import settings

settings.register_profile("fast", max_examples=25)
