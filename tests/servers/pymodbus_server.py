"""A pymodbus server for tests/servers/modbus.rs; told what to hold on its standard input.

    pymodbus_server.py tcp [PORT]        Modbus TCP
    pymodbus_server.py rtu+tcp [PORT]    RTU frames through a socket
    pymodbus_server.py rtu               a serial line: two pseudo-terminals and a wire between them

Prints "listening LINK", then answers each line with one line:

    set UNIT TABLE ADDRESS TYPE ORDER VALUE   "ok"; types and orders are plantroom's words
    delay MS                                  "ok"; the next reply is held back that long
    functions                                 the function codes seen so far, e.g. "3 4"

pymodbus encodes the types it knows, in its two word orders. What it has no encoder for is written
here, with `struct` and `datetime`. Units 1 and 2 hold all items from 0; unit 3 has holding
registers with holes. Ends with its standard input. Written for pymodbus 3.16.
"""

import asyncio
import os
import pty
import struct
import sys
import threading
import time
import tty
from datetime import datetime

from pymodbus import FramerType
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

REGISTERS, BITS = 1000, 2000
# Unit 3: first and last address of each stretch it has.
STRETCHES = [(0, 56), (59, 130), (132, 300), (303, 399)]

TABLES = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
TYPES = {
    "u16": ModbusClientMixin.DATATYPE.UINT16,
    "i16": ModbusClientMixin.DATATYPE.INT16,
    "u32": ModbusClientMixin.DATATYPE.UINT32,
    "i32": ModbusClientMixin.DATATYPE.INT32,
    "u64": ModbusClientMixin.DATATYPE.UINT64,
    "i64": ModbusClientMixin.DATATYPE.INT64,
    "f32": ModbusClientMixin.DATATYPE.FLOAT32,
    "f64": ModbusClientMixin.DATATYPE.FLOAT64,
    "text": ModbusClientMixin.DATATYPE.STRING,
    "bits": ModbusClientMixin.DATATYPE.BITS,
}


class Tracer:
    """Sees every frame: counts functions, holds a reply back."""

    def __init__(self):
        self.functions = set()
        self.delay_s = 0.0

    def pdu(self, _sending, pdu):
        # Replies too: a function pymodbus does not know shows in the exception it answers.
        self.functions.add(pdu.function_code & 0x7F)
        return pdu

    def packet(self, sending, data):
        if sending and self.delay_s:
            # Blocks the whole server on purpose. With an asynchronous wait pymodbus would stamp
            # the reply with the transaction id of whatever request came in meanwhile.
            delay_s, self.delay_s = self.delay_s, 0.0
            time.sleep(delay_s)
        return data


def words(data):
    """Registers of bytes, the first byte of each in its high half."""
    return list(struct.unpack(f">{len(data) // 2}H", data))


def of_pymodbus(kind, order, text):
    """What pymodbus makes of it; the order of its words is its own doing too."""
    if kind == "text":
        value = text
    elif kind == "bits":
        value = [bit == "1" for bit in text]
    else:
        value = float(text) if kind.startswith("f") else int(text)
    word_order = "little" if order in ("cdab", "dcba") else "big"
    return ModbusClientMixin.convert_to_registers(value, TYPES[kind], word_order=word_order)


def of_struct(kind, size, text):
    """What pymodbus has no encoder for, the first word first."""
    match kind:
        case "u8" | "i8":
            # The other half belongs to somebody else.
            return words(b"\xa5" + int(text).to_bytes(1, "big", signed=kind == "i8"))
        case "u48" | "i48":
            return words(int(text).to_bytes(6, "big", signed=kind == "i48"))
        case "f16":
            return words(struct.pack(">e", float(text)))
        case "bcd":
            return words(bytes.fromhex(text.zfill(size // 4)))
        case "mod10k":
            digits = text.zfill(4 * size)
            return [int(digits[at : at + 4]) for at in range(0, len(digits), 4)]
        case "date":
            return of_date(size, datetime.fromisoformat(text))
    raise ValueError(kind)


def of_date(layout, at):
    match layout:
        case "bytes":
            return words(bytes([at.year % 100, at.month, at.day, at.hour, at.minute, at.second]))
        case "bcd":
            return words(bytes.fromhex(at.strftime("%y%m%d%H%M%S")))
        case "words":
            return [at.year, at.month, at.day, at.hour, at.minute, at.second]
        case "iec870":
            day = at.month << 8 | at.isoweekday() << 5 | at.day
            return [at.year % 100, day, at.hour << 8 | at.minute, at.second * 1000 + at.microsecond // 1000]
        case "unix":
            return words(struct.pack(">I", int(at.timestamp())))
    raise ValueError(layout)


def swapped(registers):
    """The bytes of each register the other way round."""
    return list(struct.unpack(f"<{len(registers)}H", struct.pack(f">{len(registers)}H", *registers)))


def split(word):
    """bcd32: bcd, 32; mod10k-3: mod10k, 3; date-unix: date, unix; text:16: text, 16; u16: u16, None."""
    if word.startswith("bcd"):
        return "bcd", int(word[3:])
    kind, _, size = word.replace("-", ":").partition(":")
    return kind, int(size) if size.isdigit() else size


def registers_of(word, order, text):
    kind, size = split(word)
    if order in ("a", "b"):
        data = text.encode().ljust(size, b"\0")
        return [byte << 8 if order == "a" else byte for byte in data]
    if kind in TYPES:
        registers = of_pymodbus(kind, order, text)
    else:
        registers = of_struct(kind, size, text)
        if order in ("cdab", "dcba"):
            registers.reverse()
    if kind == "text":
        registers += [0] * ((size + 1) // 2 - len(registers))
    match order:
        case "badc" | "dcba":
            return swapped(registers)
        case "cdabghef":
            return [registers[place] for place in (1, 0, 3, 2)]
        case "efghabcd":
            return [registers[place] for place in (2, 3, 0, 1)]
    return registers


async def command(server, tracer, line):
    match line.rstrip("\n").split(" ", 6):
        case ["set", unit, table, address, "bool", _, value]:
            await server.async_setValues(int(unit), TABLES[table], int(address), [value == "1"])
            return "ok"
        case ["set", unit, table, address, kind, order, value]:
            registers = registers_of(kind, order, value)
            await server.async_setValues(int(unit), TABLES[table], int(address), registers)
            return "ok"
        case ["delay", ms]:
            tracer.delay_s = int(ms) / 1000
            return "ok"
        case ["functions"]:
            return " ".join(str(code) for code in sorted(tracer.functions))
        case _:
            return "what?"


def devices():
    def registers(first=0, last=REGISTERS - 1):
        return SimData(first, count=last - first + 1, values=0, datatype=DataType.REGISTERS)

    def bits():
        return [SimData(0, count=BITS, values=False, datatype=DataType.BITS)]

    whole = [SimDevice(unit, simdata=(bits(), bits(), [registers()], [registers()])) for unit in (1, 2)]
    stretches = [registers(first, last) for first, last in STRETCHES]
    return [*whole, SimDevice(3, simdata=(bits(), bits(), stretches, [registers()]))]


def carry(source, target):
    """One direction of the wire."""
    while True:
        try:
            os.write(target, os.read(source, 256))
        except OSError:
            # Nobody has the other end open just now.
            time.sleep(0.01)


def serial_line():
    """The device files of the two ends of a serial line."""
    (ours, near), (theirs, far) = pty.openpty(), pty.openpty()
    names = os.ttyname(near), os.ttyname(far)
    for end in (near, far):
        tty.setraw(end)
    # `near` is for the driver alone; closed, so that it can be its only owner.
    os.close(near)
    for wire in ((ours, theirs), (theirs, ours)):
        threading.Thread(target=carry, args=wire, daemon=True).start()
    return names


async def serve(scheme, port, tracer):
    """The server and the link to it."""
    traces = {"trace_packet": tracer.packet, "trace_pdu": tracer.pdu}
    if scheme == "rtu":
        near, far = serial_line()
        # No parity at this end: a pseudo-terminal has none, and pyserial insists.
        server = ModbusSerialServer(devices(), framer=FramerType.RTU, port=far, baudrate=19200, **traces)
        await server.serve_forever(background=True)
        return server, f"rtu://{near}?baud=19200&parity=even"
    framer, settings = (FramerType.SOCKET, "") if scheme == "tcp" else (FramerType.RTU, "?baud=19200")
    server = ModbusTcpServer(devices(), framer=framer, address=("127.0.0.1", port), **traces)
    await server.serve_forever(background=True)
    return server, f"{scheme}://127.0.0.1:{server.transport.sockets[0].getsockname()[1]}{settings}"


async def main(scheme, port=0):
    sys.stdin.reconfigure(encoding="utf-8")
    tracer = Tracer()
    server, link = await serve(scheme, int(port), tracer)
    print("listening", link, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(await command(server, tracer, line), flush=True)


asyncio.run(main(*sys.argv[1:]))
