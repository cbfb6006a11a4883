/** TXT records of a name, as the name system has them. */
import { Resolver } from 'node:dns/promises';

export interface TxtResolver {
  /** The texts that stand there; none where there is no such record. @throws Error where that cannot be found out now */
  txt(name: string): Promise<readonly string[]>;
}

/** For one question, in ms; asked twice. */
const questionMs = 5_000;
/** The name system says that there is nothing. */
const absent: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA']);

/** Asks name servers. @param servers IP addresses, with `:port` where it is not 53; none: those of the system */
export function dnsResolver(servers: readonly string[] = []): TxtResolver {
  const resolver = new Resolver({ timeout: questionMs, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return {
    async txt(name) {
      try {
        return (await resolver.resolveTxt(name)).map((pieces) => pieces.join(''));
      } catch (error) {
        if (absent.has((error as NodeJS.ErrnoException).code ?? '')) return [];
        throw error;
      }
    },
  };
}
