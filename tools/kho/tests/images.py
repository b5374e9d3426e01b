# SPDX-License-Identifier: GPL-2.0-only
"""Kernel images for tests of kho-compat: as small as they can be, with notes
that are right or wrong in one way each.

The layout of the note is written down here a second time, on purpose: a change
to include/linux/kho/abi/image.h that is not meant to be one fails the tests.
"""
import bz2
import gzip
import lzma
import shutil
import struct
import subprocess

MAGIC = b"\x89KHO image note\0"
ALIGN = 512
MAX_ENTRIES = 32
KHO_ON = 1
LIVEUPDATE = 2

X86_64, AARCH64 = "x86_64", "aarch64"

# name: (oldest version that is read, version that is written)
COMPONENTS = {"radix": (1, 1), "vmalloc": (1, 1), "block": (1, 1),
              "memblock": (1, 1), "luo": (5, 5), "memfd": (2, 2)}


def with_sum(note):
    """The note with the one sum that makes it valid."""
    note = note[:24] + bytes(4) + note[28:]
    words = struct.unpack(f"<{len(note) // 4}I", note)
    return note[:24] + struct.pack("<I", -sum(words) % 2**32) + note[28:]


def entry(name, min_version, version):
    if isinstance(name, str):
        name = name.encode()
    return struct.pack("<16sII", name, min_version, version)


def note(components=None, entries=None, *, version=1, nr=None, page_shift=12,
         flags=KHO_ON | LIVEUPDATE, reserved=(0, 0, 0)):
    """A note; entries= for what no dictionary can hold."""
    if entries is None:
        components = COMPONENTS if components is None else components
        entries = [entry(name, *versions)
                   for name, versions in components.items()]
    nr = len(entries) if nr is None else nr
    header = struct.pack("<16s8I", MAGIC, version, nr, 0, page_shift, flags,
                         *reserved)
    return with_sum(header + b"".join(entries))


def body(*pieces, size=4096):
    """Bytes of a kernel with each piece at the next possible offset."""
    data = b""
    for piece in pieces:
        data += bytes(-len(data) % ALIGN) + piece
    return data + bytes(max(size - len(data), -len(data) % 16))


def bzimage(*pieces, xloadflags=1, setup_sects=1, size=4096, payload=None):
    """The setup code, one sector more than counted, then the kernel; what is in
    payload= is packed with gzip unless it is packed already."""
    packed = payload or b""
    if packed.startswith(b"\x7fELF"):
        packed = gzip.compress(packed) + struct.pack("<I", len(packed))
    rest = body(*pieces, size=size)
    packed_at = len(rest)
    rest += packed + bytes(-len(packed) % 16)
    setup = bytearray(((setup_sects or 4) + 1) * 512)
    setup[0x1f1] = setup_sects
    struct.pack_into("<I", setup, 0x1f4, len(rest) // 16)
    struct.pack_into("<H4sH", setup, 0x1fe, 0xaa55, b"\xeb\x66Hd", 0x20f)
    setup[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", setup, 0x236, xloadflags)
    struct.pack_into("<H", setup, 0x206, 0x20f)
    if packed:
        struct.pack_into("<II", setup, 0x248, packed_at, len(packed))
    return bytes(setup) + rest


def image(*pieces, flags=0, efi=True, size=4096):
    """An arm64 Image; efi gives it the headers of an EFI program as well."""
    payload = body(*pieces, size=size)
    header = bytearray(1024)
    struct.pack_into("<QQQ", header, 8, 0, len(header) + len(payload), flags)
    header[0x38:0x3c] = b"ARM\x64"
    if efi:
        struct.pack_into("<I", header, 0x3c, 0x40)
        struct.pack_into("<4sHH12xHH", header, 0x40, b"PE\0\0", 0xaa64, 1,
                         0xa0, 0x206)
        struct.pack_into("<8sIIII", header, 0x40 + 0x18 + 0xa0, b".text",
                         len(payload), 1024, len(payload), 1024)
    return bytes(header) + payload


def pe(sections, machine=0x8664):
    """An EFI program of these sections, each a name and its bytes."""
    header = bytearray(2048)
    header[:2] = b"MZ"
    struct.pack_into("<I", header, 0x3c, 0x40)
    struct.pack_into("<4sHH12xHH", header, 0x40, b"PE\0\0", machine,
                     len(sections), 0xa0, 0x206)
    data = b""
    for i, (name, content) in enumerate(sections):
        padded = content + bytes(-len(content) % 512)
        struct.pack_into("<8sIIII", header, 0x40 + 0x18 + 0xa0 + i * 40, name,
                         len(content), 4096 + len(data), len(padded),
                         len(header) + len(data))
        data += padded
    return bytes(header) + data


def zboot(packed, machine=0xaa64):
    """An EFI program that unpacks what is in it."""
    data = bytearray(pe([(b".gzdata", packed)], machine))
    struct.pack_into("<4sII", data, 4, b"zimg", 2048, len(packed))
    return bytes(data)


def lz4_legacy(data):
    return pack_with("lz4", "-l")(data)


def pack_with(*command):
    """A function that packs, and returns None if the command is missing."""
    def pack(data):
        if not shutil.which(command[0]):
            return None
        return subprocess.run([*command, "-c"], input=data, capture_output=True,
                              check=True).stdout
    return pack


PACKERS = {"gzip": gzip.compress,
           "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32),
           "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
           "bzip2": bz2.compress, "zstd": pack_with("zstd"),
           "lz4": lz4_legacy, "lz4 frame": pack_with("lz4"),
           "lzop": pack_with("lzop")}


def vmlinux(machine, *pieces, bits=2, order=1, size=4096, kind=2):
    """An ELF file of one segment, with the table of sections at its end."""
    payload = body(*pieces, size=size)
    number = {X86_64: 62, AARCH64: 183}.get(machine, machine)
    ident = b"\x7fELF" + bytes([bits, order, 1]) + bytes(9)
    kind <<= 8 * (order - 1)
    header = ident + struct.pack("<HHIQQQIHHHHHH", kind, number, 1, 0, 64,
                                 1024 + len(payload), 0, 64, 56, 1, 64, 1, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 1024, 0, 0, len(payload),
                          len(payload), 4096)
    return (header + segment).ljust(1024, b"\0") + payload + bytes(64)


def corpus():
    """name, bytes: what the fuzzer starts from."""
    good = note()
    other = note({"radix": (1, 2)})
    many = note(entries=[entry(f"component-{i}", 1, i + 1)
                         for i in range(MAX_ENTRIES)])
    yield "bzimage", bzimage(good)
    yield "bzimage-twice", bzimage(good, good)
    yield "bzimage-differ", bzimage(good, other)
    yield "bzimage-many", bzimage(many)
    yield "bzimage-none", bzimage(size=512)
    yield "bzimage-other-version", bzimage(note(version=2))
    yield "image", image(good)
    yield "image-no-efi", image(good, efi=False)
    yield "image-ends-in-note", image(good, efi=False)[:1024 + 40]
    yield "image-ends-with-magic", image(good, efi=False)[:1024 + len(MAGIC)]
    yield "image-no-entries", image(note({}))
    yield "vmlinux-x86_64", vmlinux(X86_64, good)
    yield "vmlinux-aarch64", vmlinux(AARCH64, bytes(512), good)
    yield "vmlinux-other", vmlinux(8, good)
    banner = b"\0Linux version 7.3.4 (a) b\0"
    stock = vmlinux(X86_64, banner + b"kho-v4\0luo-v5\0memfd-v2\0memblock-v1\0")
    yield "gzip", b"\x1f\x8b\x08" + bytes(29)
    yield "stock", stock
    yield "pe-unknown-machine", pe([(b".text", banner + b"kho-v4\0")], machine=1)
    yield "bzimage-stock", bzimage(payload=stock)
    yield "without-kho", vmlinux(
        X86_64, banner + b"Passed KHO data, but CONFIG_KEXEC_HANDOVER not set\0")
    for name, pack in PACKERS.items():
        packed = pack(stock)
        if packed:
            yield f"packed-{name}", packed
            yield f"zboot-{name}", zboot(packed)
    yield "uki", pe([(b".linux", bzimage(good)), (b".cmdline", b"kho=on"),
                     (b".profile", b"ID=a\n"), (b".profile", b"ID=b\n"),
                     (b".cmdline", b"kho=off"), (b".initrd", b"070701")])
