"""The documentation as a site: its pages are those of a repository host, and it needs nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath

import pytest
from markdown_it import MarkdownIt

from contactsync.doc_links import with_links

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/adr/*.md"), *ROOT.glob("*.md")])
COUNTED = {"table", "td", "ul", "ol", "li", "pre", "blockquote", "em", "strong"}


class _Built(HTMLParser):
    """The anchors, the structure and the addresses of a page of the site."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.anchors: list[str | None] = []
        self.elements: list[str] = []
        self.loaded: list[str] = []
        self._in_article = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe"} or (tag == "link" and given.get("rel") != "canonical"):
            self.loaded += [address for name in ("src", "href") if (address := given.get(name))]
        if tag == "article":
            self._in_article = True
        elif self._in_article and re.fullmatch("h[1-6]", tag):
            self.anchors.append(given.get("id"))
        elif self._in_article and tag in COUNTED:
            self.elements.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._in_article = False


def _build(root: Path, built: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder as the Makefile does."""
    (options,) = re.findall(r"^SITE := .*/mkdocs (build .*--site-dir)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    command = [sys.executable, "-m", "mkdocs", *options.split(), str(built)]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once for all tests of this file."""
    built = tmp_path_factory.mktemp("docs") / "site"
    ended = _build(ROOT, built)
    assert ended.returncode == 0, ended.stderr
    return built


def _on_site(page: Path, site: Path) -> _Built:
    name = page.relative_to(ROOT).as_posix()
    path = PurePosixPath(name.removeprefix("docs/") if name.startswith("docs/") else f"repository/{name}")
    folder = path.parent if path.name == "README.md" else path
    return _Built((site / folder / "index.html").read_text())


def _host_anchor(heading: str) -> str:
    """Return what a repository host makes of a heading: lower case, no punctuation, a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_is_the_same_in_both_places(page: Path, site: Path) -> None:
    """A page has the anchors, tables, lists and code blocks that a repository host shows."""
    built = _on_site(page, site)
    markdown = MarkdownIt("commonmark").enable("table")
    tokens = markdown.parse(page.read_text())
    headings = [tokens[index + 1].children or [] for index, token in enumerate(tokens) if token.type == "heading_open"]
    anchors = [_host_anchor("".join(part.content for part in heading)) for heading in headings]
    assert built.anchors == anchors
    assert len(anchors) == len(set(anchors)), "hosts and site number anchors of equal headings in different ways"
    expected = [tag for tag in re.findall(r"<([a-z]+)[ >]", markdown.render(page.read_text())) if tag in COUNTED]
    assert built.elements == expected


def test_site_needs_nothing_from_elsewhere(site: Path) -> None:
    """No page loads a script, a style, a font or a picture from another host, so it works without the internet."""
    pages = [_Built(page.read_text()) for page in site.rglob("*.html")]
    assert len(pages) > len(PAGES)
    assert [address for page in pages for address in page.loaded if re.match("(https?:)?//", address)] == []
    styles = "".join(sheet.read_text() for sheet in site.rglob("*.css"))
    assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", styles) == []


def test_mentions_lead_to_pages_of_the_site(site: Path) -> None:
    """A page that a notice or a log names is where CONTACTSYNC_DOCS_URL leads, when that is the site's address."""
    mentions = "docs/scope.md#calls-to-aws docs/schemas/envelope.json docs/adr/0001-read-the-live-contact.md"
    links = with_links(mentions, site.as_uri()).split()
    assert links[0].endswith("/scope.md#calls-to-aws")
    targets = [Path(link.partition("#")[0].removeprefix("file://")) for link in links]
    assert [target.is_file() or (target / "index.html").is_file() for target in targets] == [True, True, True]


@pytest.mark.parametrize("index", [ROOT / "docs/README.md", ROOT / "docs/adr/README.md"], ids=["docs", "decisions"])
def test_index_has_every_page_of_its_folder(index: Path) -> None:
    """docs/README.md lists every page, docs/adr/README.md every decision."""
    listed = set(re.findall(r"\]\(([^)#]+)", index.read_text()))
    assert {page.name for page in index.parent.glob("*.md")} - {"README.md"} <= listed


def test_faults_of_pages_fail_the_build(tmp_path: Path) -> None:
    """A link to no page, to no heading, to no file beside docs/, and a page that nothing lists are named, and fail."""
    for name in ("docs", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for path in [*ROOT.glob("*.md"), ROOT / "mkdocs.yml", ROOT / "LICENSE"]:
        shutil.copy(path, tmp_path)
    with (tmp_path / "docs/scope.md").open("a") as page:
        page.write("[a](nowhere.md) [b](data.md#no-heading) [c](../infra/nothing.yaml) [d](adr)\n")
    (tmp_path / "docs/unlisted.md").write_text("# Unlisted\n")
    ended = _build(tmp_path, tmp_path / "site")
    assert ended.returncode == 1
    named = ["nowhere.md", "#no-heading", "infra/nothing.yaml", "'adr'", "unlisted.md"]
    assert [fault for fault in named if fault not in ended.stderr] == []
