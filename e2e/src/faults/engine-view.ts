/** What stands at a container engine, seen past the daemon: by plain HTTP over its socket, so that no client is trusted. */
import { type IncomingMessage, request } from 'node:http';

export const sharedSocket = '/var/run/docker.sock';

/** A container of a lease, running or not. */
export interface SeenContainer {
  readonly id: string;
  readonly lease: string;
  readonly service: string;
  readonly instance: number;
  readonly state: string;
  /** RFC 3339; of its last start. */
  readonly startedAt: string;
}

interface Labelled {
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

interface Event {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

export class EngineView {
  readonly socket: string;

  constructor(socket = sharedSocket) {
    this.socket = socket;
  }

  async answers(): Promise<boolean> {
    return this.#get('/_ping').then(
      () => true,
      () => false,
    );
  }

  /** A provider's containers, in the order of their leases, services and instances. */
  async containers(provider: string): Promise<SeenContainer[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`mu.provider=${provider}`] }));
    const found = await this.#json<Labelled[]>(`/containers/json?all=1&filters=${filters}`);
    const seen = await Promise.all(found.map((one) => this.#inspect(one)));
    return seen.flatMap((one) => one ?? []).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  }

  /** Names of a provider's networks. */
  async networks(provider: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [`mu.provider=${provider}`] }));
    return (await this.#json<{ Name: string }[]>(`/networks?filters=${filters}`)).map(({ Name }) => Name).sort();
  }

  /** Counts starts of a provider's containers from now on. */
  async watchStarts(provider: string): Promise<StartWatch> {
    const wish = { label: [`mu.provider=${provider}`], type: ['container'], event: ['start'] };
    const response = await this.#open(`/events?filters=${encodeURIComponent(JSON.stringify(wish))}`);
    return new StartWatch(response);
  }

  async #inspect({ Id: id, Labels }: Labelled): Promise<SeenContainer | undefined> {
    const labels = Labels ?? {};
    const { status, body } = await this.#get(`/containers/${id}/json`);
    if (status === 404) return undefined;
    const { State: state } = JSON.parse(body) as { State: { Status: string; StartedAt: string } };
    return {
      id,
      lease: labels['mu.lease'] ?? '',
      service: labels['mu.service'] ?? '',
      instance: Number(labels['mu.instance']),
      state: state.Status,
      startedAt: state.StartedAt,
    };
  }

  async #json<T>(path: string): Promise<T> {
    const { status, body } = await this.#get(path);
    if (status !== 200) throw new Error(`the engine at ${this.socket} answered GET ${path} with ${status}: ${body}`);
    return JSON.parse(body) as T;
  }

  async #get(path: string): Promise<{ status: number; body: string }> {
    const response = await this.#open(path);
    let body = '';
    for await (const chunk of response.setEncoding('utf8')) body += chunk as string;
    return { status: response.statusCode ?? 0, body };
  }

  #open(path: string): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    request({ socketPath: this.socket, path, agent: false }, resolve).on('error', reject).end();
    return promise;
  }
}

const nameOf = ({ lease, service, instance }: SeenContainer): string => `${lease}/${service}/${instance}`;

/** How often each container was started while it was watched. */
export class StartWatch {
  readonly #response: IncomingMessage;
  readonly #starts = new Map<string, number>();
  #rest = '';

  constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    // Where the engine goes, what was counted until then counts.
    response.on('error', () => {});
  }

  /** Containers that were started more than once. */
  twice(): string[] {
    return [...this.#starts].flatMap(([id, starts]) => (starts > 1 ? [`${id.slice(0, 12)}: ${starts} times`] : []));
  }

  close(): void {
    this.#response.destroy();
  }

  #read(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one !== '')) {
      const { Actor: actor } = JSON.parse(line) as Event;
      this.#starts.set(actor.ID, (this.#starts.get(actor.ID) ?? 0) + 1);
    }
  }
}
