"""RSA signatures as CloudTrail makes them: PKCS#1 v1.5 with SHA-256, checked with the public key alone.

A signature is right only where what it opens to is, byte for byte, what the standard has for this message; nothing in
it is parsed, so that there is nothing to pad differently. https://www.rfc-editor.org/rfc/rfc8017#section-8.2.2
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

# The DER encoding of "a SHA-256 hash follows". https://www.rfc-editor.org/rfc/rfc8017#section-9.2
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_SEQUENCE, _INTEGER = 0x30, 0x02
_LEAST_BITS = 2_048


class PublicKeyError(ValueError):
    """Bytes that are no RSA public key to trust; the text says why."""


class PublicKey(NamedTuple):
    """An RSA public key."""

    modulus: int
    exponent: int

    @classmethod
    def of_der(cls, data: bytes) -> PublicKey:
        """The key in PKCS#1's DER form, as ListPublicKeys gives it.

        https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PublicKey.html

        Raises:
            PublicKeyError: it is none, or too short to mean anything.
        """
        content, after = _element(data, _SEQUENCE)
        modulus, rest = _element(content, _INTEGER)
        exponent, end = _element(rest, _INTEGER)
        if after or end:
            raise PublicKeyError("more follows the key")
        key = cls(int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big"))
        if key.modulus.bit_length() < _LEAST_BITS or not key.modulus & 1:
            raise PublicKeyError(f"it has {key.modulus.bit_length()} bits, and at least {_LEAST_BITS:,} are needed")
        if key.exponent < 3 or not key.exponent & 1:
            raise PublicKeyError(f"its exponent is {key.exponent}")
        return key

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this is the signature of the message by the key's owner."""
        size = (self.modulus.bit_length() + 7) // 8
        number = int.from_bytes(signature, "big")
        if len(signature) != size or number >= self.modulus:
            return False
        ending = b"\x00" + _SHA256 + hashlib.sha256(message).digest()
        wanted = b"\x00\x01".ljust(size - len(ending), b"\xff") + ending
        return pow(number, self.exponent, self.modulus).to_bytes(size, "big") == wanted


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the element that begins here, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise PublicKeyError("it is no RSA public key in PKCS#1's DER form")
    length, start = data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data) or not length:
        raise PublicKeyError("it is no RSA public key in PKCS#1's DER form")
    return data[start : start + length], data[start + length :]
