/** What happens to a request whose client leaves behind a proxy, on every server. */
import { isCancelledError, until } from "corio";
import { assert, test } from "../../../corio/test/support/harness.ts";
import { RawClient, Signal } from "./client.ts";
import type { Abilities, Route, Start } from "./contract.ts";
import { Endless, untilIdle } from "./contract.ts";
import { startProxy } from "./proxy.ts";

/** A route that answers when it is told to. */
class Patient {
  readonly entered: Signal = new Signal();
  readonly release: Signal = new Signal();
  wasCancelled = false;

  readonly route: Route = async () => {
    this.entered.reach();
    try {
      await until(this.release.reached);
    } catch (error) {
      this.wasCancelled = isCancelledError(error);
      throw error;
    }
    return "answered";
  };
}

export function testProxies(name: string, start: Start, { halfOpen }: Abilities): void {
  test(`${name}: behind a proxy that half-closes, a client that leaves cancels its request`, async () => {
    const endless = new Endless();
    const server = await start({ "/": endless.route });
    const proxy = await startProxy(server.port, "half-close");
    for (const ask of ["get", "post"] as const) {
      endless.entered = new Signal();
      endless.left = new Signal();
      const client = await RawClient.connect(proxy.port);
      client[ask]("/", "a body");
      await endless.entered.reached;
      client.cut();
      await endless.left.reached;
    }
    assert.equal(endless.exits, 2);
    await untilIdle(server);
    await proxy.close();
    await server.close();
  });

  if (halfOpen) {
    test(`${name}: behind a proxy that half-closes, a request is answered if the server allows it`, async () => {
      const patient = new Patient();
      const server = await start({ "/": patient.route }, { allowHalfOpen: true });
      const proxy = await startProxy(server.port, "half-close");
      const client = await RawClient.connect(proxy.port, { allowHalfOpen: true });
      client.get("/");
      await patient.entered.reached;
      client.socket.end();
      await proxy.printed("the client left");
      patient.release.reach();
      await client.until("answered");
      assert.ok(!patient.wasCancelled);
      client.cut();
      await untilIdle(server);
      await proxy.close();
      await server.close();
    });
  }

  test(`${name}: behind a proxy that keeps its connection, nobody can know that the client left`, async () => {
    const patient = new Patient();
    const server = await start({ "/": patient.route });
    const proxy = await startProxy(server.port, "keep-open");
    const client = await RawClient.connect(proxy.port);
    client.get("/");
    await patient.entered.reached;
    client.cut();
    await proxy.printed("the client left");
    patient.release.reach();
    await proxy.printed("the server answered");
    assert.ok(!patient.wasCancelled);
    await untilIdle(server);
    await proxy.close();
    await server.close();
  });
}
