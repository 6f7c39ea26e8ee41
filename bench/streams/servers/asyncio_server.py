"""python3 asyncio_server.py echo|frames|drained [uvloop]: what corio.mjs is, on CPython's asyncio."""

import asyncio
import json
import os
import resource
import sys
import threading

FRAME = 1024
MODE = sys.argv[1]


async def serve_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def serve_frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            writer.write(await reader.readexactly(FRAME))
            if MODE == "drained":
                await writer.drain()
    except asyncio.IncompleteReadError:
        writer.close()


def rss_bytes() -> int:
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        # What it was at most; Linux counts it in kilobytes, macOS in bytes.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def report() -> None:
    for _ in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        usage = {"cpuSeconds": used.ru_utime + used.ru_stime, "heapBytes": None, "rssBytes": rss_bytes()}
        print(json.dumps(usage), flush=True)
    os._exit(0)


async def main() -> None:
    serve = serve_chunks if MODE == "echo" else serve_frames
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    threading.Thread(target=report, daemon=True).start()
    await server.serve_forever()


# Node has this limit raised by itself.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))

if "uvloop" in sys.argv:
    import uvloop

    uvloop.install()
asyncio.run(main())
