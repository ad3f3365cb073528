"""Secrets from the blocks of a real Prefect."""

import pytest

from core.errors import SpecError
from core.secrets import Secrets
from tasks.secrets import block

pytestmark = pytest.mark.slow


def test_a_block_fills_in_what_it_holds(backends: None) -> None:
    from prefect.blocks.system import Secret

    Secret(value="hunt'er/2").save("shop-password", overwrite=True)  # type: ignore[arg-type]
    secrets = Secrets(block)
    assert secrets.fill("ann:${block:shop-password}") == "ann:hunt'er/2"
    assert secrets.hide("refused: hunt'er/2") == "refused: ***"


@pytest.mark.parametrize("name", ["not-there", "Not There", "", "a/b"])
def test_a_block_that_is_not_there_is_named(backends: None, name: str) -> None:
    with pytest.raises(SpecError, match=rf"^\$\{{block:{name}\}}: ") as caught:
        Secrets(block).fill(f"${{block:{name}}}")
    assert caught.value.__cause__ is None and caught.value.__context__ is None
