/** The host's own interfaces and routes. */
import * as z from 'zod';
import { parseSubnet, type Subnet } from './ipv4.ts';
import { type RunTool, runTool } from './run-tool.ts';

export interface HostNetwork {
  /** Where the host sends packets for other reasons than ours, the default route aside. */
  routes(): Promise<readonly Subnet[]>;
  /** Gives an interface further addresses; those that it has already stay. */
  addAddresses(link: string, addresses: readonly string[]): Promise<void>;
}

const routeList = z.array(z.object({ dst: z.string() }));

export class IpHostNetwork implements HostNetwork {
  readonly #run: RunTool;

  constructor(run: RunTool = runTool) {
    this.#run = run;
  }

  async routes(): Promise<readonly Subnet[]> {
    const text = await this.#run('ip', ['-j', '-4', 'route', 'show', 'table', 'all']);
    return routeList.parse(JSON.parse(text)).flatMap(({ dst }) => parseSubnet(dst) ?? []);
  }

  async addAddresses(link: string, addresses: readonly string[]): Promise<void> {
    for (const address of addresses) await this.#run('ip', ['address', 'replace', `${address}/32`, 'dev', link]);
  }
}
