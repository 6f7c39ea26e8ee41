/** Where a worker thread begins. */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { MessagePort, Transferable } from "node:worker_threads";
import process from "node:process";
import { ANSWERS, CANCELLED_CALL } from "./protocol.ts";
import type { AnswerMessage, ThreadData, ToWorker } from "./protocol.ts";
import { serve } from "./serve.ts";

const { shared, answers } = (workerData as ThreadData).corio;
const memory = new Int32Array(shared);
const answerPort = answers as MessagePort;
const port = parentPort as MessagePort;

const receive = serve({
  post: (message, transferList) => {
    port.postMessage(message, transferList as Transferable[] | undefined);
  },
  cancelledId: () => Atomics.load(memory, CANCELLED_CALL),
  takeAnswers: (isEnough, milliseconds) => {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      // Read first: an answer that comes after the look changes it, and the wait is over at once.
      const count = Atomics.load(memory, ANSWERS);
      let received = receiveMessageOnPort(answerPort) as { message: AnswerMessage } | undefined;
      for (; received !== undefined; received = receiveMessageOnPort(answerPort) as typeof received)
        receive(received.message);
      const left = deadline - performance.now();
      if (isEnough() || left <= 0) return;
      Atomics.wait(memory, ANSWERS, count, left);
    }
  },
  end: () => process.exit(0),
});

port.on("message", (message: ToWorker) => {
  receive(message);
});
answerPort.on("message", (message: AnswerMessage) => {
  receive(message);
});
