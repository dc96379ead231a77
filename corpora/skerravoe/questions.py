"""Questions whose answers are walked, not written: reads questions.txt and resolves it.

Each line is  TYPE | PATH | QUESTION.  A path starts at a page title and follows fields:
"Camp Lantern > person > birthplace > founded" visits three pages and ends in a value. The pages
visited are the supporting documents; the value is the answer and must stand in the last of them,
and each page must name the next.

    A > field                  single or bridge
    leader: S @ DATE > field   starts at the bulletin in force on DATE (without "@ DATE": now)
    first/last/most/least FIELD of A, B   comparison; A and B may be paths that end in an entity
"""
import re

from model import FACTS, first_year

WANTED = {"single": 30, "bridge": 55, "comparison": 15, "temporal": 20}

# Fields that look the other way: from a person to the one thing that the person made.
MADE_BY = {"wrote": [("books", "author")],
           "firm": [(kind, "founder") for kind in ("companies", "publishers", "institutes")]}


class Walk:
    """The documents visited so far and where the path stands."""

    def __init__(self, world, documents, path):
        self.world, self.documents, self.visited, self.as_of = world, documents, [], None
        head, *fields = [s.strip() for s in path.split(">")]
        self.start(head)
        for field in fields:
            self.step(field)

    def start(self, head):
        series = re.fullmatch(r"(\w+): (.+?)(?: @ (\d{4}-\d\d-\d\d))?", head)
        if series and not self.world.get(head):
            kind, subject, self.as_of = series.groups()
            b = self.world.state(kind, subject, self.as_of)
            self.visited.append(self.documents[b])
            self.value = b.value
        else:
            if not self.world.get(head):
                raise ValueError(f"there is no {head}")
            self.value = head

    def step(self, field):
        entity = self.world.get(self.value)
        if entity is None:
            raise ValueError(f"{self.value!r} has no page to look up {field!r} in")
        self.visited.append(self.documents[self.value])
        if field in MADE_BY:
            made = [e.name for kind, maker in MADE_BY[field]
                    for e in self.world.where(kind, **{maker: self.value})]
            if len(made) != 1:
                raise ValueError(f"{self.value} {field}: {len(made)} of them")
            self.value = made[0]
            return
        self.value = getattr(entity, field)
        if self.value is None:
            raise ValueError(f"{entity.name} has no {field}")


def read(world, documents, path):
    """(answer, supporting documents in order, as_of)"""
    compare = re.fullmatch(r"(first|last|most|least) (\w+) of (.+)", path)
    if not compare:
        walk = Walk(world, documents, path)
        return walk.value, walk.visited, walk.as_of
    rank, field, names = compare.groups()
    rows, support = [], []
    for part in names.split(","):
        walk = Walk(world, documents, part.strip())
        subject = walk.value
        walk.step(field)
        figure = re.sub(r"(?<=\d),(?=\d)", "", walk.value)
        rows.append((float(re.search(r"[\d.]+", figure).group()) if field != "date"
                     else first_year(figure), subject))
        support += walk.visited
    rows.sort(reverse=rank in ("last", "most"))
    if rows[0][0] == rows[1][0]:
        raise ValueError(f"{path}: a tie")
    return rows[0][1], support, None


def spans(answer):
    """The answer, and its bare figure where the unit may be left out."""
    figure = re.match(r"([\d,]+) (?:crowns|metres|kilometres|pairs)", answer)
    return [answer] + ([figure.group(1)] if figure else [])


def load(world, documents):
    """(question records, faults)"""
    asked, faults, counts = [], [], dict.fromkeys(WANTED, 0)
    for n, line in enumerate((FACTS.parent / "questions.txt").read_text("utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        try:
            kind, path, question = [s.strip() for s in line.split("|")]
            answer, support, as_of = read(world, documents, path)
        except (ValueError, KeyError, AttributeError) as fault:
            faults.append(f"questions.txt:{n}: {fault}")
            continue
        counts[kind] += 1
        ids = list(dict.fromkeys(d.id for d in support))
        record = {"id": f"{kind}-{counts[kind]:02}", "question": question,
                  "answers": spans(answer), "supporting": ids, "type": kind, "hops": len(ids)}
        if as_of:
            record["as_of"] = as_of
        asked.append(record)
        faults += [f"questions.txt:{n}: {f}" for f in check(kind, path, answer, support, question)]
    faults += [f"questions.txt: {counts[k]} {k} questions instead of {WANTED[k]}"
               for k in WANTED if counts[k] != WANTED[k]]
    return asked, faults


def check(kind, path, answer, support, question):
    if kind == "comparison":
        if not any(answer in d.text for d in support):
            yield f"{answer!r} is in none of the supporting documents"
        return
    for here, there in zip(support, support[1:]):
        if there.title.lower() not in here.text.lower():
            yield f"{here.id} does not name {there.title}"
        if there.title.lower() in question.lower():
            yield f"the question gives away {there.title}"
    if answer not in support[-1].text:
        yield f"{answer!r} is not in {support[-1].id}"
    if answer.lower() in question.lower():
        yield f"the question contains its answer {answer!r}"
    if (kind == "single") != (len(support) == 1) and kind != "temporal":
        yield f"{kind} question with {len(support)} documents"
