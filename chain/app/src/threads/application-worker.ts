/** The thread of the application: opens it over its files and answers encoded requests in the order in which they come. */

import { parentPort, workerData } from 'node:worker_threads';
import { FrameError } from '@mu/abci/frame';
import { isPromise, methodOfRequest } from '@mu/abci/methods';
import { messageOf } from '@mu/lib/error-message';
import { nodeLog } from '../node/log.ts';
import { openApplication } from '../node/open-application.ts';
import { openMeter } from '../telemetry/telemetry.ts';
import { answered, askingMetrics, closing, damaged, type Notice, refused } from './application-thread.ts';
import { type Message, Outbox, unpackMessages } from './batch.ts';
import type { ApplicationThreadData } from './start-worker.ts';

const { home, config } = workerData as ApplicationThreadData;
const notify = (notice: Notice): void => parentPort?.postMessage(notice);
const opened = openApplication(home, config, nodeLog(config).child({ part: 'application' }), {
  onFailure: (error) => notify({ failure: error.message }),
  answersQueries: false,
});
const meter = await openMeter({ config, figures: () => opened.figures() });
const application = meter?.over(opened.application) ?? opened.application;
const outbox = new Outbox((message, owned) => parentPort?.postMessage(message, [owned]));
/** what is under way */
let running = 0;
let whenIdle: (() => void) | undefined;

const answer = (id: number, bytes: Uint8Array): void => {
  outbox.add({ id, kind: answered, bytes });
  finished();
};

const refuse = (id: number, error: unknown): void => {
  const kind = error instanceof FrameError ? damaged : refused;
  outbox.add({ id, kind, bytes: Buffer.from(messageOf(error)) });
  finished();
};

function finished(): void {
  running -= 1;
  if (running === 0) whenIdle?.();
}

function carryOut({ id, kind, bytes }: Message): void {
  running += 1;
  try {
    const method = methodOfRequest(kind);
    if (method === undefined) throw new Error(`unknown request: field ${kind}`);
    const reply = method.prepare(bytes)(application);
    if (isPromise(reply)) reply.then((body) => answer(id, body)).catch((error: unknown) => refuse(id, error));
    else answer(id, reply);
  } catch (error) {
    refuse(id, error);
  }
}

async function close(): Promise<void> {
  if (running > 0) await new Promise<void>((resolve) => (whenIdle = resolve));
  outbox.flush();
  await opened.close();
  notify('closed');
}

async function sayMetrics(): Promise<void> {
  try {
    notify({ metrics: (await meter?.text()) ?? '' });
  } catch (error) {
    notify({ noMetrics: messageOf(error) });
  }
}

parentPort?.on('message', (message: ArrayBuffer | Message | typeof closing | typeof askingMetrics) => {
  if (message === closing) void close();
  else if (message === askingMetrics) void sayMetrics();
  else for (const one of unpackMessages(message)) carryOut(one);
});
notify('open');
