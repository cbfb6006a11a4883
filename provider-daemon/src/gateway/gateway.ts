/**
 * The public door of a provider: HTTP requests to functions and workloads (design §6, §7). It knows no daemon and no chain:
 * whoever steers it says what is served under which label, and takes what was used.
 */
import type { WorkloadLog } from '../workloads/driver.ts';
import { ActiveCalls } from './active-calls.ts';
import { Admission, Slots } from './admission.ts';
import { badRequest, type Refusal, refusals, refuse } from './answers.ts';
import { BodyBudget } from './body.ts';
import type { Call } from './call.ts';
import type { CertificateSource } from './certificates.ts';
import type { Challenges } from './challenges.ts';
import { Connections } from './connections.ts';
import { Door, type UpgradeRequest } from './door.ts';
import type { Deployment, Exchange, Surroundings } from './exchange.ts';
import { defaultLimits, type GatewayLimits, sweepMs } from './limits.ts';
import { type GatewayService, PathError, RouteTable } from './routes.ts';
import { serve } from './serve.ts';
import { Signpost } from './signpost.ts';
import { framingOf, RequestError, type Target, targetOf } from './target.ts';
import { UpstreamAgents } from './upstream-agents.ts';
import { GatewayMeter, type GatewayUsage } from './usage.ts';
import { Websockets } from './websockets.ts';

export interface GatewayOptions {
  /** Deployments are told apart by `<label>.<domain>`; without one only by the path prefix `/~<label>/`. */
  readonly domain?: string;
  /** Where they are not the defaults of limits.ts. */
  readonly limits?: Partial<GatewayLimits>;
  /** Log lines of deployments: each request, and what went wrong behind an endpoint. */
  readonly onLog?: WorkloadLog;
  /** With it clients come in by TLS. */
  readonly certificates?: CertificateSource;
  /** Answers to a certificate authority that asks whether a name is ours. */
  readonly challenges?: Challenges;
  /** Milliseconds; of a clock that never goes back. */
  readonly now?: () => number;
}

export interface ListenOptions {
  readonly host: string;
  /** Of TLS where there are certificates, else of plain HTTP; 0 lets the system choose. */
  readonly port: number;
  /** With certificates: of plain HTTP, which leads to HTTPS; none where it is left out. */
  readonly plainPort?: number;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  readonly plainPort?: number;
}

/** How much goes on at this moment, and what came since the start. */
export interface GatewayState {
  readonly connections: number;
  readonly calls: number;
  readonly websockets: number;
  /** Connections that were refused, or closed to make room for another. */
  readonly refusedConnections: number;
  /** Of whatever deployment, or of none. */
  readonly requests: number;
  /** Requests that the gateway refused by itself, by its word for it (answers.ts). */
  readonly refusals: Readonly<Record<string, number>>;
}

/** How often a gateway that drains looks whether it is done. */
const drainStepMs = 50;
const none: GatewayUsage = { requests: 0n, bytes: 0n };

export class Gateway {
  readonly #limits: GatewayLimits;
  readonly #certificates: CertificateSource | undefined;
  readonly #challenges: Challenges | undefined;
  readonly #signpost: Signpost<Deployment>;
  readonly #bodies: BodyBudget;
  readonly #connections: Connections;
  readonly #calls: ActiveCalls;
  readonly #door: Door;
  readonly #around: Surroundings;
  readonly #sweep: NodeJS.Timeout;
  /** The one to which plain HTTP leads; 0 until TLS is listened on. */
  #securePort = 0;
  #draining = false;
  #requests = 0;
  readonly #refusals = new Map<string, number>();

  constructor(options: GatewayOptions = {}) {
    const now = options.now ?? (() => performance.now());
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#certificates = options.certificates;
    this.#challenges = options.challenges;
    this.#signpost = new Signpost(options.domain?.toLowerCase());
    this.#bodies = new BodyBudget(this.#limits.bodyMemoryBytes);
    this.#connections = new Connections(this.#limits, now);
    this.#calls = new ActiveCalls(this.#limits, now);
    this.#around = {
      limits: this.#limits,
      admission: new Admission(this.#limits),
      agents: new UpstreamAgents(this.#limits),
      log: options.onLog ?? (() => {}),
      now,
    };
    this.#door = new Door({
      limits: this.#limits,
      connections: this.#connections,
      onCall: (call, upgrade) => this.#take(call, upgrade),
    });
    this.#sweep = setInterval(() => this.sweep(), sweepMs).unref();
  }

  /** The address that was bound. @throws Error where it cannot be */
  async listen({ host, port, plainPort }: ListenOptions): Promise<Listening> {
    const certificates = this.#certificates;
    if (certificates === undefined) return this.#door.listen(host, port);
    const secure = await this.#door.listenSecure(certificates, host, port);
    this.#securePort = secure.port;
    if (plainPort === undefined) return secure;
    const plain = await this.#door.listen(host, plainPort);
    return { ...secure, plainPort: plain.port };
  }

  /** Serves a deployment under its label from now on. Its counters go on when it was served before. */
  setRoutes(label: string, service: GatewayService): void {
    const known = this.#signpost.get(label);
    const table = new RouteTable(service.routes);
    if (known !== undefined) Object.assign(known, { service, table });
    this.#signpost.set(label, known ?? this.#newDeployment(service, table), service.hosts ?? []);
    this.#certificates?.want(this.#signpost.names());
  }

  #newDeployment(service: GatewayService, table: RouteTable): Deployment {
    const bodies = new BodyBudget(this.#limits.bodyMemoryPerDeployment, this.#bodies);
    const own = { meter: new GatewayMeter(), slots: new Slots(), websockets: new Websockets() };
    return { service, table, bodies, balancers: new Map(), ...own };
  }

  /**
   * No longer serves a deployment; requests under way are finished, its websockets are told to go.
   * @returns what `takeUsage` had not given yet
   */
  remove(label: string): GatewayUsage {
    const usage = this.takeUsage(label);
    this.#signpost.get(label)?.websockets.goAway();
    this.#signpost.delete(label);
    this.#certificates?.want(this.#signpost.names());
    return usage;
  }

  labels(): string[] {
    return this.#signpost.labels();
  }

  /** All since the first `setRoutes`; zeros for an unknown label. */
  usage(label: string): GatewayUsage {
    return this.#signpost.get(label)?.meter.total() ?? none;
  }

  /** What was used since the last call of this method for the label. */
  takeUsage(label: string): GatewayUsage {
    return this.#signpost.get(label)?.meter.take() ?? none;
  }

  state(): GatewayState {
    const websockets = this.#signpost.all().reduce((sum, one) => sum + one.websockets.size, 0);
    const { size: connections, refused: refusedConnections } = this.#connections;
    return {
      ...{ connections, calls: this.#calls.size, websockets, refusedConnections },
      ...{ requests: this.#requests, refusals: Object.fromEntries(this.#refusals) },
    };
  }

  /** Holds connections and requests to their time limits; the gateway does so by itself each second. */
  sweep(): void {
    this.#connections.sweep();
    this.#calls.sweep();
  }

  /**
   * Takes no more connections, finishes the requests under way, tells websockets to go (1001), and closes.
   * @param limitMs what is not finished by then is cut
   */
  async drain(limitMs: number = this.#limits.drainMs): Promise<void> {
    this.#draining = true;
    const until = this.#around.now() + limitMs;
    const stopped = this.#door.stopListening();
    this.#connections.announceEnd();
    for (const deployment of this.#signpost.all()) deployment.websockets.goAway();
    for (;;) {
      this.#connections.closeIdle();
      if (this.#connections.size === 0 || this.#around.now() >= until) break;
      await new Promise((resolve) => setTimeout(resolve, drainStepMs));
    }
    await this.close();
    await stopped;
  }

  /** Takes no more requests and cuts what is under way. */
  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const stopped = this.#door.stopListening();
    for (const deployment of this.#signpost.all()) deployment.websockets.destroy();
    this.#connections.destroy();
    this.#around.agents.close();
    await stopped;
  }

  #take(call: Call, upgrade: UpgradeRequest | undefined): void {
    this.#calls.add(call);
    this.#requests += 1;
    call.onClose(() => {
      if (call.refusal !== undefined) this.#refusals.set(call.refusal, (this.#refusals.get(call.refusal) ?? 0) + 1);
    });
    call.last ||= this.#draining;
    try {
      this.#receive(call, upgrade);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      // What we read one way, another on its way may read in another: nothing more on this connection is believed.
      turnAway(call, badRequest(error.message));
    }
  }

  /** @throws RequestError */
  #receive(call: Call, upgrade: UpgradeRequest | undefined): void {
    const headerBytes = call.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (call.fields.length > this.#limits.headerFields || headerBytes > this.#limits.headerBytes) {
      turnAway(call, refusals.tooManyFields);
      return;
    }
    framingOf(call.fields, call.version);
    const target = targetOf(call);
    const proof = call.secure ? undefined : this.#challenges?.answerTo(target.path);
    const found = this.#signpost.find(target.name, target.path);
    if (proof !== undefined) answerChallenge(call, proof);
    else if ('refusal' in found) {
      if (found.refusal === refusals.unknownHost) turnAway(call, found.refusal);
      else refuse(call, found.refusal);
    } else if (upgrade !== undefined && this.#draining) refuse(call, refusals.draining);
    else if (this.#certificates !== undefined && !call.secure) leadToHttps(call, target, this.#securePort);
    else this.#serve({ call, target, around: this.#around, ...found, ...(upgrade === undefined ? {} : { upgrade }) });
  }

  #serve(exchange: Exchange): void {
    const { meter } = exchange.deployment;
    meter.addRequest();
    serve(exchange).catch((error: unknown) => {
      if (error instanceof PathError) meter.addBytes(refuse(exchange.call, badRequest(error.message)));
      else exchange.call.cut();
    });
  }
}

/** Refuses, and ends the connection. */
function turnAway(call: Call, refusal: Refusal): void {
  call.last = true;
  refuse(call, refusal);
}

function answerChallenge(call: Call, proof: string): void {
  call.begin(200, [
    ['content-type', 'application/octet-stream'],
    ['content-length', String(proof.length)],
  ]);
  if (call.method !== 'HEAD') call.output.write(proof);
  call.end();
}

/** The same address by TLS, with the same method. */
function leadToHttps(call: Call, { name, path, query }: Target, port: number): void {
  if (name === undefined) {
    refuse(call, badRequest('the request names no host, so there is nowhere to lead it to: ask by https'));
    return;
  }
  const origin = `https://${name}${port === 443 ? '' : `:${port}`}`;
  call.last ||= call.hasBody;
  call.begin(308, [
    ['location', `${origin}${path}${query === '' ? '' : `?${query}`}`],
    ['content-length', '0'],
  ]);
  call.end();
}
