"""Bring the bindings of a chapter's numbers up to date: python tests/numbers/bind.py CHAPTER.

A line whose two sides still agree is kept, also where its words or its cell's id have changed.
For a number without one, what is near and has its value is proposed after a question mark:
read it, and either delete the mark or write what is right. A cell's id alone is enough, if the
value stands there once. ``tests/project/test_prose.py`` refuses what still has the mark; the
diff shows what changed. Nothing is proposed from another section of the chapter.
"""

import difflib
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import prose

NUMBER = re.compile(rf"(?<![\w:.])(?:{prose.DIGITS}|{prose.SPELT})", re.X | re.I)
WIDTH = 48


def anchors(there, cell, kind):
    """Yield each number of a cell's code or output with the shortest text that tells it apart."""
    lines = {"code": there.code, "out": there.out}[kind][cell].splitlines()
    text = prose.collapsed("\n".join(lines))
    for number, line in enumerate(lines):
        line = prose.collapsed(line)
        for match in NUMBER.finditer(line):
            for reach in (16, 28, 48, 400):
                start = line.rfind(" ", 0, max(match.start() - reach, 0)) + 1
                end = line.find(" ", match.end() + reach // 3)
                end = len(line) if end < 0 else end
                anchor = f"{line[start : match.start()]}«{match.group()}»{line[match.end() : end]}"
                if text.count(prose.unmarked(anchor)) == 1:
                    break
            else:
                before = prose.collapsed(" ".join(lines[max(number - 1, 0) : number]))
                anchor = f"{before} {line[: match.start()]}«{match.group()}»{line[match.end() :]}"
            yield anchor.strip()


def fitting(site, left, there, cell, prefix=""):
    """Return the targets in one cell that agree with a number, its outputs first."""
    found = []
    for kind in ("out", "code"):
        for anchor in anchors(there, cell, kind):
            target = f"{cell} {kind}: {anchor}"
            if not prose.wrong(site, left, target, there):
                found.append(prefix + target)
    return found


def near(here, cell):
    """Return the code cells of the section around a cell, the nearest first, those before first."""
    at, section, sections = here.order.index(cell), 0, {}
    for name in here.order:
        headings = len(re.findall(r"^## ", here.prose.get(name, ""), flags=re.M))
        sections[name] = range(section, section + headings + 1)
        section += headings
    around = [name for name in here.code if sections[name][0] in sections[cell]]
    return sorted(around, key=lambda name: abs(here.order.index(name) - at - 0.4))


def shared(site, target):
    """Return how many words stand beside the number in both."""
    words = [
        set(re.findall(r"[a-z]{3,}", prose.unmarked(text).lower().replace("_", " ")))
        for text in (f"{site.before} {site.after}", target.split(": ", 1)[-1])
    ]
    return len(words[0] & words[1])


def proposal(site, left, here, cell):
    """Return the right side for a number that has none."""
    if site.kind == "link":
        ways = ("explorer", "heading")
        return next((way for way in ways if not prose.wrong(site, left, way, here)), "?")
    if site.kind in ("formula", "name"):
        return {"formula": "mathematics", "name": "name"}[site.kind]
    if site.kind == "code":
        for name in near(here, cell):
            if site.text.strip("`") in prose.collapsed(here.code[name]):
                return f"{name} code: {site.text.strip('`')}"
        return "? name"
    if site.before.endswith("(") and site.after.startswith(")") and site.text in here.equations():
        return "equation"
    if re.search(r"(^|\*\*)$", site.before) and re.match(r"\. ", site.after):
        return "numbering"
    if re.fullmatch(r"(19|20)\d\d", site.text) and re.match(r"[,.;)]", site.after):
        return "year"
    found = [target for name in near(here, cell) for target in fitting(site, left, here, name)]
    found.sort(key=lambda target: -shared(site, target))
    if found and (shared(site, found[0]) or len(re.sub(r"\D", "", site.text).strip("0")) > 1):
        return f"? {found[0]}"
    return "?"


def mended(site, left, right, here):
    """Return a right side, found again if its text has changed, or after a question mark."""
    if not prose.wrong(site, left, right, here):
        return right
    how = next((how for how in prose.HOW if right.startswith(how)), "")
    target = right.removeprefix(how)
    match = re.match(r"(?:([\w-]+)/)?(\w+)(?: (out|code): (.*))?$", target)
    there = prose.chapter(match.group(1)) if match and match.group(1) else here
    if not match or (match.group(2) not in there.code and not match.group(3)):
        return f"? {right.removeprefix('? ')}"
    name, cell, kind, text = match.groups()
    found = [
        f"{how}{name + '/' if name else ''}{each} {which}: {anchor}"
        for each in ([cell] if cell in there.code else there.code)
        for which in ([kind] if kind else ["out", "code"])
        for anchor in anchors(there, each, which)
        if not text or masked(anchor) == masked(text)
    ]
    found = [each for each in found if not prose.wrong(site, left, each, here)]
    return found[0] if len(found) == 1 else f"? {right}"


def masked(text):
    """Return a text with its numbers hidden."""
    return NUMBER.sub("#", prose.unmarked(text))


def grouped(lines):
    """Return lines in groups: those that mark numbers of one formula together."""
    groups = []
    for line in lines:
        text = prose.unmarked(line[0])
        if groups and text[0] in "$`]" and prose.unmarked(groups[-1][0][0]) == text:
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def pair(found, groups):
    """Return, for each site, the old lines that are about it."""
    old = [prose.unmarked(group[0][0]) for group in groups]
    new = [prose.unmarked(site.line) for site in found]
    pairs = [[] for _ in new]
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for tag, i, i_end, j, j_end in blocks:
        for k in range(j, j_end) if tag != "delete" else ():
            if i_end - i == j_end - j:
                pairs[k] = groups[i + k - j]
            elif near := difflib.get_close_matches(new[k], old[i:i_end], n=1):
                pairs[k] = groups[old.index(near[0], i)]
    return pairs


def renewed(site, mine, here, cell):
    """Return the lines of a site, brought up to date."""
    kept = []
    for left, right in mine:
        left = left if prose.unmarked(left) == site.text and "«" in left else site.line
        if right != "?":
            kept.append((left, mended(site, left, right, here)))
    if not kept or len({left for left, _ in kept}) < len(kept):
        return [(site.line, proposal(site, site.line, here, cell))]
    return kept


def bind(here, bindings):
    """Return the text of a chapter's bindings, brought up to date."""
    found = {cell: prose.sites(here.prose[cell]) for cell in here.order if cell in here.prose}
    groups = {cell: grouped(lines) for cell, lines in bindings.items()}
    pairs = {cell: pair(found[cell], groups.get(cell, [])) for cell in found}
    taken = {id(mine) for mines in pairs.values() for mine in mines}
    spare = {}
    for group in (group for each in groups.values() for group in each if id(group) not in taken):
        spare.setdefault(prose.unmarked(group[0][0]), []).append(group)
    text = ""
    for cell in [cell for cell in found if found[cell]]:
        text += f"[{cell}] {prose.collapsed(here.prose[cell])[:60].rstrip()}\n"
        for site, mine in zip(found[cell], pairs[cell], strict=True):
            moved = [] if mine else spare.get(prose.unmarked(site.line), [])
            lines = renewed(site, moved.pop(0) if moved else mine, here, cell)
            text += "".join(f"{left:{WIDTH}} <- {right}\n" for left, right in lines)
        text += "\n"
    return text.rstrip("\n") + "\n"


def main(names):
    """Bring the files of the chapters named up to date, or of all; return the exit status."""
    for name in [Path(name).stem for name in names] or prose.CHAPTERS:
        text = bind(prose.chapter(name), prose.stored(name))
        (prose.NUMBERS / f"{name}.txt").write_text(text, encoding="utf8")
        print(f"{name}: {text.count(' <- ')} bindings, {text.count(' <- ?')} to be judged")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
