"""Lays the repository's pages out as a site, for mkdocs (`hooks` in mkdocs.yml).

mkdocs knows every page by its path in the repository, so that a link that is right on a repository host is right here.
The address of a page ends in its file's name (`scope.md/`), so that a mention such as `docs/scope.md#calls-to-aws` in a
notice or a log leads to it when CONTACTSYNC_DOCS_URL is the address of the site.
"""

from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

BESIDE_DOCS = ("*.md", "LICENSE", "infra/*.yaml")
"""Files outside docs/ to which pages link; they lie in repository/ on the site."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Name the files of docs/ as the repository does, and add those beside docs/."""
    docs = Path(config.docs_dir)
    repository = docs.parent
    laid_out = [file for file in files if file.src_dir != config.docs_dir]
    for file in files:
        if file.src_dir == config.docs_dir:
            laid_out.append(_file(f"{docs.name}/{file.src_uri}", address(file.src_uri), config))
            laid_out[-1].inclusion = file.inclusion
    for pattern in BESIDE_DOCS:
        for path in sorted(repository.glob(pattern)):
            name = path.relative_to(repository).as_posix()
            laid_out.append(_file(name, address(f"repository/{name}"), config))
    return Files(laid_out)


def address(path: str) -> str:
    """Return where a file lies on the site: pages as `scope.md/index.html`, the index of a folder as its own."""
    page = PurePosixPath(path)
    if page.suffix != ".md":
        return path
    return str((page.parent if page.name == "README.md" else page) / "index.html")


def _file(name: str, dest: str, config: MkDocsConfig) -> File:
    return File(
        name,
        src_dir=str(Path(config.docs_dir).parent),
        dest_dir=config.site_dir,
        use_directory_urls=config.use_directory_urls,
        dest_uri=dest,
    )
