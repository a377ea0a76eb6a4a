"""Writes the pages of the documentation's site into a folder, or checks the site that was made of them.

python packaging/site.py pages FOLDER
python packaging/site.py check FOLDER

They are README.md, and all that is reached from it by links within the repository, at the same paths, so that links
stay as they are. A source file becomes a page that shows it (in colours where one reads to learn: they
take long), a folder one that lists it. mkdocs.yml makes the site.
"""

import os
import pathlib
import re
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANGUAGES = {".metal": "cpp", ".h": "cpp", ".c": "c", ".cpp": "cpp", ".m": "objc", ".py": "python", ".swift": "swift",
             ".js": "javascript", ".json": "json", ".ipynb": "json", ".yml": "yaml", ".toml": "toml"}  # fmt: skip
IMAGES = {".png", ".svg"}
LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def page_of(path: pathlib.PurePath) -> pathlib.PurePath:
    """Where the site has a file or a folder."""
    if (ROOT / path).is_dir():
        return path / ("README.md" if (ROOT / path / "README.md").exists() else "index.md")
    return path if path.suffix in {".md", *IMAGES} else path.with_name(path.name + ".md")


def outside_code(text: str) -> list[tuple[bool, str]]:
    """The parts of a page: whether one is a block of code, and its text."""
    parts = re.split(r"(^(?:```|~~~).*?^(?:```|~~~)[ \t]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return [(i % 2 == 1, part) for i, part in enumerate(parts)]


def linked(path: pathlib.PurePath, text: str) -> tuple[str, set[pathlib.PurePath]]:
    """The page with its links to where the site has their files, and these files."""
    found = set()

    def to_page(match: re.Match[str]) -> str:
        target = pathlib.PurePath(os.path.normpath(path.parent / match[2]))
        found.add(target)
        return match[1] + os.path.relpath(page_of(target), path.parent)

    return "".join(part if is_code else LINK.sub(to_page, part) for is_code, part in outside_code(text)), found


def source_page(path: pathlib.PurePath) -> str:
    language = LANGUAGES.get(path.suffix, "text") if path.parts[0] in ("kernels", "examples") else "text"
    text = (ROOT / path).read_text(errors="replace")
    return f"# {path}\n\n~~~~~~ {language}\n{text.rstrip()}\n~~~~~~\n"


def folder_page(path: pathlib.PurePath) -> str:
    names = sorted(entry.name for entry in (ROOT / path).iterdir() if not entry.name.startswith((".", "__")))
    return f"# {path}/\n\n" + "".join(f"- `{name}`\n" for name in names)


def write_pages(folder: pathlib.Path) -> None:
    todo, done = {pathlib.PurePath("README.md")}, set()
    while todo:
        path = todo.pop()
        done.add(path)
        page = folder / page_of(path)
        page.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in IMAGES:
            shutil.copyfile(ROOT / path, page)
        elif (ROOT / path).is_dir() and page.name == "README.md":
            todo |= {path / "README.md"} - done
        elif path.suffix == ".md":
            text, found = linked(path, (ROOT / path).read_text())
            page.write_text(text)
            todo |= found - done
        else:
            page.write_text(folder_page(path) if (ROOT / path).is_dir() else source_page(path))


def check_site(folder: pathlib.Path) -> None:
    """Nothing is fetched from elsewhere to show a page."""
    pages = sorted(folder.rglob("*.html"))
    fetched = re.compile(r"""<(?:script|link|img|iframe|source)\b[^>]*\s(?:src|href)=["']?(?:https?:)?//[^"'\s>]+""")
    wrong = [
        f"{page.relative_to(folder)}: {match[0]}" for page in pages for match in fetched.finditer(page.read_text())
    ]
    styles = [path for path in folder.rglob("*.css") if re.search(r"url\(\s*[\"']?(?:https?:)?//", path.read_text())]
    if not pages or wrong or styles:
        sys.exit("\n".join(["the site fetches from elsewhere, or is empty:", *wrong, *map(str, styles)]))


def main(verb: str, folder: pathlib.Path) -> None:
    if verb == "check":
        return check_site(folder)
    shutil.rmtree(folder, ignore_errors=True)
    write_pages(folder)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
