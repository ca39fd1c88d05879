"""Secret references, looked up."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from chalicelib.settings.secrets import SecretError, Secrets


class Store:
    """Parameter Store and Secrets Manager in one: answers, or raises."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def get_parameter(self, **request: Any) -> dict[str, Any]:
        return self._give(request)

    def get_secret_value(self, **request: Any) -> dict[str, Any]:
        return self._give(request)

    def _give(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_value_that_is_no_reference_is_the_secret() -> None:
    assert Secrets(lambda _: pytest.fail("no call")).resolve("https://example.com") == "https://example.com"


def test_a_parameter_is_decrypted_and_trimmed() -> None:
    store = Store({"Parameter": {"Value": "hush\n"}})
    secrets = Secrets(lambda _: store)
    assert [secrets.resolve("ssm:/sgwatch/x"), secrets.resolve("ssm:/sgwatch/x")] == ["hush", "hush"]
    assert store.asked == [{"Name": "/sgwatch/x", "WithDecryption": True}]


@pytest.mark.parametrize(
    ("reference", "secret"), [("secretsmanager:a/b#url", "hush"), ("secretsmanager:a/b", '{"url": "hush"}')]
)
def test_a_secret_is_read_whole_or_by_its_key(reference: str, secret: str) -> None:
    store = Store({"SecretString": '{"url": "hush"}'})
    assert Secrets(lambda _: store).resolve(reference) == secret
    assert store.asked == [{"SecretId": "a/b"}]


@pytest.mark.parametrize(
    ("reference", "answer", "said"),
    [
        ("secretsmanager:a#b", {"SecretString": "hush"}, "is not a JSON object"),
        ("secretsmanager:a#b", {"SecretString": '{"c": "hush"}'}, "has no text under the key b"),
        ("secretsmanager:a#b", {"SecretString": '["hush"]'}, "has no text under the key b"),
        ("secretsmanager:a", {"SecretBinary": b"hush"}, "is binary"),
        ("ssm:/a", {"Parameter": {"Value": " "}}, "ssm:/a is empty"),
        (
            "ssm:/a",
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetParameter"),
            "AccessDeniedException on GetParameter",
        ),
        ("ssm:/a", EndpointConnectionError(endpoint_url="https://ssm.example.com"), "EndpointConnectionError"),
    ],
)
def test_a_failed_look_up_says_why_without_the_secret_and_is_tried_again(
    reference: str, answer: Any, said: str
) -> None:
    store = Store(answer)
    secrets = Secrets(lambda _: store)
    for _ in range(2):
        with pytest.raises(SecretError, match=said) as caught:
            secrets.resolve(reference)
        assert "hush" not in str(caught.value)
    assert len(store.asked) == 2
