"""Static files: what is made of each when they are collected."""

from pathlib import Path

from stalkerr.static import StaticFiles


def test_files_are_compressed_by_gzip_alone(tmp_path: Path) -> None:
    """Proves the guard create_compressor: brotli is installed, and takes a minute for them all."""
    (tmp_path / "page.css").write_text("body { margin: 0 }\n" * 500)
    storage = StaticFiles(location=str(tmp_path), base_url="/static/")
    assert len(list(storage.post_process({"page.css": (storage, "page.css")}))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"page.css", "page.css.gz"}
