"""The world of Skerravoe as data: reads facts/*.txt and checks that the facts agree.

A facts file is a table. Its first line names the columns, each further line is one entity with
its fields between bars, and the indented lines below an entity are remarks used in its page.
A field that holds the name of another entity is a link; "-" means that there is nothing to say.
"""
import datetime
import pathlib
import re

FACTS = pathlib.Path(__file__).parent / "facts"

PEOPLE = ("explorers", "seafarers", "scientists", "makers", "writers", "citizens")
KINDS = PEOPLE + ("islands", "towns", "stations", "institutes", "ships", "expeditions",
                  "instruments", "companies", "publishers", "books", "birds", "mountains",
                  "lighthouses", "storms", "treaties", "festivals", "museums", "wrecks")

# Which kinds a field may link to; None where a plain name without a page will do. Fields not named
# here are plain values.
LINKS = {
    "island": ("islands",), "summit": ("mountains", None), "chief_town": ("towns",),
    "birthplace": ("towns",), "buried": ("towns",), "teacher": PEOPLE, "person": PEOPLE + ("ships",),
    "institute": ("institutes",), "instrument": ("instruments",), "seat": ("towns",),
    "founder": PEOPLE, "yard": ("companies",), "master": PEOPLE, "port": ("towns",),
    "leader": PEOPLE, "ship": ("ships",), "backer": ("companies", "institutes"),
    "inventor": PEOPLE, "maker": ("companies",), "author": PEOPLE, "publisher": ("publishers",),
    "colony": ("islands",), "counter": PEOPLE, "climber": PEOPLE, "designer": PEOPLE,
    "victim": KINDS, "drafter": PEOPLE, "town": ("towns",), "honours": KINDS, "treasure": KINDS,
}

# Kinds whose names take "the", and which names of the kind do.
ARTICLE = {
    "ships": r"^(?!Fulmar's)", "wrecks": r"^(?!Fulmar's)", "institutes": r"", "expeditions": r"",
    "treaties": r"", "birds": r"", "instruments": r"^(?!Pendulum)",
    "companies": r"(Yard|Slip|Line|House|Company)$",
    "museums": r"^Museum|(Museum|Collection)$", "storms": r"(Blow|Gale)$",
}


class Entity:
    """One thing of the world; its fields are attributes, `notes` its remarks."""

    def __init__(self, table, fields, notes):
        self.table, self.notes = table, notes
        self.__dict__.update({k: None if v == "-" else v for k, v in fields.items()})

    @property
    def is_person(self):
        return self.table in PEOPLE

    @property
    def slug(self):
        return slug(self.name)

    @property
    def ref(self):
        """The name as it stands inside a sentence, with the article if it takes one."""
        takes = ARTICLE.get(self.table)
        if takes is None or not re.search(takes, self.name):
            return self.name
        if self.table == "birds" and self.name.split()[0] not in ("Arctic", "Skerravoe"):
            return f"the {self.name[0].lower()}{self.name[1:]}"
        return f"the {self.name}"


class Bulletin:
    """One dated statement: from `date` on, the `kind` of `subject` is `value`."""

    def __init__(self, kind, subject, date, value, note, previous):
        self.kind, self.subject, self.date = kind, subject, date
        self.value, self.note, self.previous = value, note, previous

    @property
    def day(self):
        return long_date(self.date)

    @property
    def doc_id(self):
        return f"gazette-{self.date}"


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("'", "")).strip("-")


def long_date(iso):
    d = datetime.date.fromisoformat(iso)
    return f"{d.day} {d:%B} {d.year}"


def first_year(text):
    found = re.search(r"\d{4}", str(text or ""))
    return int(found.group()) if found else None


def read_table(kind):
    columns, entities = None, []
    for line in (FACTS / f"{kind}.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            columns = [c.strip() for c in line[1:].split("|")]
        elif line.startswith(" "):
            entities[-1].notes.append(line.strip())
        elif line:
            cells = [c.strip() for c in line.split("|")]
            if len(cells) != len(columns):
                raise ValueError(f"{kind}: {len(cells)} fields instead of {len(columns)}: {line}")
            entities.append(Entity(kind, dict(zip(columns, cells)), []))
    return entities


def read_bulletins():
    series, head = [], None
    for line in (FACTS / "bulletins.txt").read_text("utf-8").splitlines():
        cells = [c.strip() for c in line.split("|")]
        if line.startswith(" "):
            previous = series[-1] if series and (series[-1].kind, series[-1].subject) == head else None
            series.append(Bulletin(*head, *cells, previous))
        elif not line.startswith("#"):
            head = tuple(cells)
    return series


class World:
    def __init__(self):
        self.kinds = {kind: read_table(kind) for kind in KINDS}
        self.people = [p for kind in PEOPLE for p in self.kinds[kind]]
        self.entities = {}
        for kind in KINDS:
            for e in self.kinds[kind]:
                # A wreck may share the name of something afloat; its page is titled "Wreck of ...".
                key = f"Wreck of the {e.name}" if kind == "wrecks" else e.name
                if key in self.entities:
                    raise ValueError(f"two entities are called {key}")
                self.entities[key] = e
        self.bulletins = read_bulletins()
        self.check()

    def __getitem__(self, name):
        return self.entities[name]

    def get(self, name):
        return self.entities.get(name)

    def where(self, kind, **fields):
        """The entities of a kind whose fields have the given values, in file order."""
        return [e for e in self.kinds[kind]
                if all(getattr(e, k) == v for k, v in fields.items())]

    def state(self, kind, subject, as_of=None):
        """The bulletin that holds on a day (ISO); without a day, the latest one."""
        held = [b for b in self.bulletins
                if (b.kind, b.subject) == (kind, subject) and (as_of is None or b.date <= as_of)]
        if not held:
            raise ValueError(f"no {kind} of {subject} by {as_of}")
        return max(held, key=lambda b: b.date)

    def check(self):
        faults = []
        for e in self.entities.values():
            faults += self.check_links(e)
            faults += self.check_person(e) if e.is_person else self.check_dates(e)
            if len(e.notes) < (1 if e.table == "wrecks" else 2):
                faults.append(f"{e.name}: too few remarks")
        faults += self.check_bulletins()
        if faults:
            raise ValueError("the facts disagree:\n  " + "\n  ".join(faults))

    def check_links(self, e):
        for field, kinds in LINKS.items():
            value = getattr(e, field, None)
            if value is None:
                continue
            target = self.get(value)
            if target is None and None not in kinds or target and target.table not in kinds:
                yield f"{e.name}: {field} {value!r} is not one of {kinds}"

    def check_person(self, p):
        born, died = int(p.born), int(p.died or 2024)
        if int(self[p.birthplace].founded) > born:
            yield f"{p.name}: born before {p.birthplace} was founded"
        if p.buried and int(self[p.buried].founded) > died:
            yield f"{p.name}: buried before {p.buried} was founded"
        if bool(p.died) != bool(p.buried) or not 40 < died - born < 96 and p.died:
            yield f"{p.name}: odd death"
        if p.teacher:
            t = self[p.teacher]
            if int(t.born) + 5 > born or int(t.died or 2024) < born + 14:
                yield f"{p.name}: could not have learned from {t.name}"

    def check_dates(self, e):
        """Whoever founds, builds, writes or leads must be alive and of age at the time."""
        year = next((first_year(getattr(e, f)) for f in
                     ("founded", "launched", "years", "year", "lit", "signed", "date")
                     if hasattr(e, f)), None)
        if year is None:
            return
        for field in LINKS:
            target = self.get(getattr(e, field, None) or "")
            if target is None or field in ("counter", "honours", "treasure"):
                continue
            if target.is_person:
                if getattr(e, "relation", None) == "namesake":
                    if int(target.died or 2024) > year:
                        yield f"{e.name}: named after {target.name}, then alive"
                elif not int(target.born) + 15 <= year <= int(target.died or 2024):
                    yield f"{e.name} ({year}): {field} {target.name} not of age or dead"
            else:
                made = first_year(getattr(target, "founded", None) or
                                  getattr(target, "launched", None) or getattr(target, "lit", None))
                if made and made > year and e.table != "stations":
                    yield f"{e.name} ({year}): {field} {target.name} is younger ({made})"

    def check_bulletins(self):
        dates = [b.date for b in self.bulletins]
        if len(set(dates)) != len(dates):
            yield "two bulletins share a date"
        for b in self.bulletins:
            if b.previous and b.previous.date >= b.date:
                yield f"{b.subject}: bulletins out of order at {b.date}"
            target = self.get(b.value)
            if b.kind in ("leader", "director", "mayor") and not (target and target.is_person):
                yield f"{b.date}: {b.value} is not a person"
            if b.kind == "port" and not (target and target.table == "towns"):
                yield f"{b.date}: {b.value} is not a town"
            if b.kind in ("leader", "director", "port") and b.subject not in self.entities:
                yield f"{b.date}: {b.subject} is unknown"
        # Nobody holds two full posts at once.
        posts = [b for b in self.bulletins if b.kind in ("leader", "director", "mayor")]
        for b in posts:
            end = min((c.date for c in posts if (c.kind, c.subject) == (b.kind, b.subject)
                       and c.date > b.date), default="9999")
            for c in posts:
                if c is not b and c.value == b.value and b.date <= c.date and c.date < end:
                    if (datetime.date.fromisoformat(min(end, "2024-12-31")) -
                            datetime.date.fromisoformat(c.date)).days > 45:
                        yield f"{b.value}: {b.subject} and {c.subject} at once"
