"""A pymodbus TCP server for tests/servers/modbus.rs; told what to hold on its standard input.

Prints "listening PORT", then answers each line with one line:

    set UNIT TABLE ADDRESS TYPE ORDER VALUE   "ok"; pymodbus encodes the value
    delay MS                                  "ok"; the next reply is held back that long
    functions                                 the function codes seen so far, e.g. "3 4"

Ends with its standard input. Written for pymodbus 3.16.
"""

import asyncio
import sys
import time

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

TABLES = {"holding": 3, "input": 4}
TYPES = {
    "u16": ModbusClientMixin.DATATYPE.UINT16,
    "i16": ModbusClientMixin.DATATYPE.INT16,
    "u32": ModbusClientMixin.DATATYPE.UINT32,
    "i32": ModbusClientMixin.DATATYPE.INT32,
    "f32": ModbusClientMixin.DATATYPE.FLOAT32,
}


class Tracer:
    """Sees every packet: counts functions, holds a reply back."""

    def __init__(self):
        self.functions = set()
        self.delay_s = 0.0

    def packet(self, sending, data):
        if not sending and len(data) >= 8:
            self.functions.add(data[7])
        if sending and self.delay_s:
            # Blocks the whole server on purpose. With an asynchronous wait pymodbus would stamp
            # the reply with the transaction id of whatever request came in meanwhile.
            delay_s, self.delay_s = self.delay_s, 0.0
            time.sleep(delay_s)
        return data


async def command(server, tracer, words):
    match words:
        case ["set", unit, table, address, kind, order, value]:
            number = float(value) if kind == "f32" else int(value)
            registers = ModbusClientMixin.convert_to_registers(number, TYPES[kind], word_order=order)
            await server.async_setValues(int(unit), TABLES[table], int(address), registers)
            return "ok"
        case ["delay", ms]:
            tracer.delay_s = int(ms) / 1000
            return "ok"
        case ["functions"]:
            return " ".join(str(code) for code in sorted(tracer.functions))
        case _:
            return "what?"


async def main(port):
    def registers():
        return [SimData(0, count=200, values=0, datatype=DataType.REGISTERS)]

    def bits():
        return [SimData(0, count=16, values=False, datatype=DataType.BITS)]

    tracer = Tracer()
    devices = [SimDevice(unit, simdata=(bits(), bits(), registers(), registers())) for unit in (1, 2)]
    server = ModbusTcpServer(devices, address=("127.0.0.1", port), trace_packet=tracer.packet)
    await server.serve_forever(background=True)
    print("listening", server.transport.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(await command(server, tracer, line.split()), flush=True)


asyncio.run(main(int(sys.argv[1])))
