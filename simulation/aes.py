"""AES-128-CBC with PKCS7 padding: the one cipher of both protocols."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_BLOCK = 16


def encrypt(key: bytes, iv: bytes, plain: bytes) -> bytes:
    """Pad and encrypt."""
    missing = _BLOCK - len(plain) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()


def decrypt(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """Decrypt and take the padding off. `ValueError` when it does not fit."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    plain = decryptor.update(sealed) + decryptor.finalize()
    if not plain or not 1 <= plain[-1] <= _BLOCK:
        raise ValueError("the padding does not fit")
    return plain[: -plain[-1]]
