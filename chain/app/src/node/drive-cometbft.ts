/** The node behind CometBFT: the application on its thread, its socket, the thread of queries; stopped in turn. */
import { isAbsolute, join } from 'node:path';
import { AbciServer } from '@mu/abci/server';
import type { Logger } from 'pino';
import { QueryThread } from '../query/query-thread.ts';
import { newPulse, serveTelemetry } from '../telemetry/telemetry.ts';
import { ApplicationThread } from '../threads/application-thread.ts';
import type { StartedWorker } from '../threads/start-worker.ts';
import { removeAddresses, writeAddresses } from './addresses.ts';
import { queryCacheBytes } from './caches.ts';
import { readCometConfig } from './comet-config.ts';
import type { NodeConfig } from './config.ts';
import type { Home } from './home.ts';
import type { RunningNode } from './running-node.ts';

/** @throws Error that says what is wrong with the state or the address, and what to do */
export async function driveCometbft(
  started: StartedWorker,
  home: Home,
  config: NodeConfig,
  log: Logger,
): Promise<RunningNode> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  // Whoever waits for it learns of a failure; nobody has to.
  failed.catch(() => undefined);
  const pulse = newPulse(config);
  const fail = (error: Error): void => {
    pulse.failed(error);
    reject(error);
  };
  const queries = new QueryThread({ home, cacheBytes: queryCacheBytes(config) });
  const undo = [() => queries.close()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const application = await ApplicationThread.start({
      started,
      queries,
      onFailure: fail,
      onCommitted: (height) => pulse.committed(height),
    });
    undo.push(() => application.close());
    const server = new AbciServer(application, {
      listen: socketAddress(home, config.abci.laddr),
      maxMessageBytes: config.abci.max_message_bytes,
      log: log.child({ part: 'abci' }),
      onFailure: fail,
    });
    const abci = await server.listen();
    // After what CometBFT waits for: until then the application answers.
    queries.open();
    undo.push(() => server.close());
    const telemetry = await serveTelemetry(config, { metrics: () => application.metrics(), pulse, log });
    undo.push(async () => telemetry?.close());
    const addresses = { abci, ...(telemetry === undefined ? {} : { telemetry: telemetry.url }) };
    writeAddresses(home, addresses);
    undo.push(async () => removeAddresses(home));
    warnAboutEmptyBlocks(home, log);
    log.info(addresses, 'waiting for CometBFT');
    return { addresses, failed, stop };
  } catch (error) {
    // Else the threads would keep a process alive that has nothing to do.
    await stop();
    throw error;
  }
}

/** A relative path of a unix socket begins at the home folder. */
function socketAddress(home: Home, laddr: string): string {
  const path = /^unix:\/\/(.*)$/.exec(laddr)?.[1];
  return path === undefined || isAbsolute(path) ? laddr : `unix://${join(home.root, path)}`;
}

/** Deadlines are heights (design §5): they come only while blocks come, transactions or not. */
function warnAboutEmptyBlocks(home: Home, log: Logger): void {
  if (readCometConfig(home)?.createsEmptyBlocks !== false) return;
  log.warn(
    { file: home.cometConfig },
    'create_empty_blocks is false: the market counts in blocks and stands still without them; set it to true',
  );
}
