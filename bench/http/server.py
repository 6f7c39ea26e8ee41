"""The same server as those of server.mjs, on aiohttp."""

import asyncio
import resource
import sys

from aiohttp import web


async def answer(request):
    await asyncio.sleep(0)
    return web.json_response({"hello": "world", "numbers": [1, 2, 3]})


async def cpu(request):
    used = resource.getrusage(resource.RUSAGE_SELF)
    return web.Response(text=str(round((used.ru_utime + used.ru_stime) * 1e6)))


async def main():
    app = web.Application()
    app.add_routes([web.get("/", answer), web.get("/cpu", cpu)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    # Only as long as the one who measures.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


asyncio.run(main())
