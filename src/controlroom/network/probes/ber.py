"""The few pieces of BER that LDAP, Kerberos and certificates need for a greeting (ITU-T X.690)."""

from collections.abc import Iterator

SEQUENCE, SET, INTEGER, OCTETS, ENUMERATED, BOOLEAN = 0x30, 0x31, 0x02, 0x04, 0x0A, 0x01


def encode(tag: int, *contents: bytes) -> bytes:
    """Return one element with a definite length."""
    content = b"".join(contents)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def encode_integer(value: int, tag: int = INTEGER) -> bytes:
    """Return a whole number that is not negative."""
    return encode(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def read_header(data: bytes) -> tuple[int, int, int]:
    """Return tag, length of the header and length of the content of the first element; raise `ValueError`.

    Tags beyond one byte, lengths beyond four and indefinite lengths are refused: nothing here needs them.
    """
    if len(data) < 2:
        raise ValueError("too short for an element")
    tag, first = data[0], data[1]
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag of more than one byte")
    if first < 0x80:
        return tag, 2, first
    count = first & 0x7F
    if not 1 <= count <= 4 or len(data) < 2 + count:
        raise ValueError("a length that cannot be read")
    return tag, 2 + count, int.from_bytes(data[2 : 2 + count], "big")


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element in a row; raise `ValueError` where one runs over the end."""
    while data:
        tag, header, length = read_header(data)
        if header + length > len(data):
            raise ValueError("an element runs over the end")
        yield tag, data[header : header + length]
        data = data[header + length :]


def within(data: bytes, tag: int) -> list[tuple[int, bytes]]:
    """Return the elements within the one element that the bytes are; raise `ValueError` for another tag."""
    whole = list(elements(data))
    if len(whole) != 1 or whole[0][0] != tag:
        raise ValueError(f"not one element with tag {tag:#x}")
    return list(elements(whole[0][1]))


def read_integer(content: bytes) -> int:
    """Return a whole number of at most eight bytes; raise `ValueError`."""
    if not 1 <= len(content) <= 8:
        raise ValueError("a number of no reasonable length")
    return int.from_bytes(content, "big", signed=True)
