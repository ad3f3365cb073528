"""Great Expectations' own Data Docs, rendered from the kept verdicts; they need a CDN to look right."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render import RenderedDocumentContent
from great_expectations.render.renderer import SiteIndexPageRenderer, ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView

from core.plain import plain
from expectations.vocabulary import words

Document = Mapping[str, Any]

_SOUND = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


def build(documents: Mapping[str, Document], folder: Path) -> Path:
    """Write a site with a page for each verdict into `folder`, and give the path of its index.

    `documents` holds the documents of verdicts by a name such as `shop/2013-01`, the newest
    last. The pages load their styles and scripts from CDNs: without a network they are bare, and
    the tables of the index stay empty.
    """
    links = []
    for name, document in documents.items():
        place = Path("validations", *(quote(part, safe="") for part in name.split("/")))
        page = folder / f"{place}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(_page(name, document), encoding="utf-8")
        links.append(
            {
                "validation_success": not document["stopped"],
                "run_name": name,
                "batch_identifier": name.rpartition("/")[2],
                "expectation_suite_name": document["suite"]["name"],
                "filepath": quote(f"{place}.html"),
                "asset_name": document["suite"]["name"],
            }
        )
    content = SiteIndexPageRenderer().render({"site_name": "Perennial", "validations_links": links})
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.html"
    index.write_text(DefaultJinjaIndexPageView().render(content), encoding="utf-8")
    return index


def _page(name: str, document: Document) -> str:
    # The library shows no number but Python's own, and runs what it takes for HTML.
    said = _escaped(plain(document["results"]))
    results = [_result(each) for each in said if "success" in each]
    held = sum(bool(result.success) for result in results)
    suite = ExpectationSuiteValidationResult(
        success=not document["stopped"],
        results=results,
        suite_name=document["suite"]["name"],
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": held,
            "unsuccessful_expectations": len(results) - held,
            "success_percent": 100 * held / len(results) if results else None,
        },
        meta={"run_id": {"run_name": name, "run_time": None}},
    )
    content: RenderedDocumentContent = ValidationResultsPageRenderer().render(suite)
    return str(DefaultJinjaPageView().render(content))


def _result(said: Document) -> ExpectationValidationResult:
    found = {key: value for key, value in said["result"].items() if value is not None}
    if "unexpected_count" in found:
        share = found["unexpected_count"] / max(1, found.get("element_count", 0))
        found.setdefault("unexpected_percent", 100 * share)
    return ExpectationValidationResult(
        success=bool(said.get("holds", said["success"])),
        expectation_config=_configuration(said),
        result=found,
        exception_info=dict(_SOUND),
    )


def _configuration(said: Document) -> ExpectationConfiguration:
    """The expectation in the library's words; in ours where it has none, or would leave parameters out."""
    name, kwargs = said["type"], dict(said["kwargs"])
    shown = {key: value["$PARAMETER"] for key, value in kwargs.items() if _is_parameter(value)}
    told = f"{name}: {', '.join(f'{key} {value}' for key, value in (kwargs | shown).items())}"
    known = name in words()
    return ExpectationConfiguration(
        type=name if known else "unexpected_rows_expectation",
        kwargs=kwargs if known else {"unexpected_rows_query": "SELECT * FROM {batch}"},
        severity=said["severity"],
        description=told if shown or not known else None,
        meta={},
    )


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _escaped(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    return html.escape(value, quote=False) if isinstance(value, str) else value


def _is_parameter(value: Any) -> bool:
    return isinstance(value, dict) and "$PARAMETER" in value
