/** The node behind CometBFT: the application on its thread, its socket, the thread of queries; stopped in turn. */
import { isAbsolute, join } from 'node:path';
import { AbciServer } from '@mu/abci/server';
import type { Logger } from 'pino';
import { QueryThread } from '../query/query-thread.ts';
import { ApplicationThread } from '../threads/application-thread.ts';
import type { NodeConfig } from './config.ts';
import type { Home } from './home.ts';
import { queryCacheBytes } from './open-application.ts';
import type { RunningNode } from './start.ts';

/** @throws Error that says what is wrong with the state or the address, and what to do */
export async function driveCometbft(home: Home, config: NodeConfig, log: Logger): Promise<RunningNode> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  // Whoever waits for it learns of a failure; nobody has to.
  failed.catch(() => undefined);
  const queries = new QueryThread({ state: home.state, cacheBytes: queryCacheBytes(config) });
  const application = await ApplicationThread.start({ home, config, queries, onFailure: reject });
  const server = new AbciServer(application, {
    listen: socketAddress(home, config.abci.laddr),
    maxMessageBytes: config.abci.max_message_bytes,
    log: log.child({ part: 'abci' }),
    onFailure: reject,
  });
  const abci = await server.listen();
  log.info({ abci }, 'waiting for CometBFT');
  return {
    addresses: { abci },
    failed,
    async stop() {
      await server.close();
      await queries.close();
      await application.close();
    },
  };
}

/** A relative path of a unix socket begins at the home folder. */
function socketAddress(home: Home, laddr: string): string {
  const path = /^unix:\/\/(.*)$/.exec(laddr)?.[1];
  return path === undefined || isAbsolute(path) ? laddr : `unix://${join(home.root, path)}`;
}
