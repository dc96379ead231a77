"""Words: choosing between phrasings, and the small grammar that the pages share.

A Voice gives out the phrasings of one sentence in a shuffled round, so that all are used equally
often and neighbouring pages differ. The order depends only on the seed and the sentence's key.
"""
import random
import re

SEED = 1668


class Voice:
    def __init__(self):
        self.rounds = {}

    def pick(self, key, *phrasings):
        if key not in self.rounds:
            order = list(range(len(phrasings)))
            random.Random(f"{SEED}/{key}").shuffle(order)
            self.rounds[key] = [order, 0]
        order, used = self.rounds[key]
        self.rounds[key][1] += 1
        return phrasings[order[used % len(order)]]


def number(name, what, low, high, step=1):
    """A fixed invented figure, for details that no other page refers to."""
    return random.Random(f"{SEED}/{name}/{what}").randrange(low, high + 1, step)


def he(p):
    return "she" if p.sex == "f" else "he"


def his(p):
    return "her" if p.sex == "f" else "his"


def him(p):
    return "her" if p.sex == "f" else "him"


def a(noun):
    """The noun with its article: a ketch, an icebreaker."""
    return ("an " if re.match(r"(?i)[aeio]|u(?!ni|s|ti)", noun) else "a ") + noun


def cap(text):
    return text[:1].upper() + text[1:]


def both(names):
    names = list(names)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def thousands(n):
    return f"{int(n):,}"
