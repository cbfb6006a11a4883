/**
 * Takes the connections that peers dial. Until a peer is admitted nothing is sent to it, not even why it is not: whether a
 * manifest is here is for those to know who may have it.
 */
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { equalBytes } from '@mu/lib/bytes';
import type { DeploymentView } from '../leases/participants.ts';
import { listenAlone, listenAtPath } from '../network/listen.ts';
import { peerChain } from '../overlay/tls.ts';
import type { ManifestName } from '../swarm/messages.ts';
import { swarmProtocol } from '../swarm/wire.ts';
import { admitPeer, noLease, shownNode } from './admission.ts';
import { PeerConnection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { deploymentKey, type Exchanges } from './exchanges.ts';
import type { PeerRefusal } from './figures.ts';
import { awaitHello, deaf, type Hello, helloOf } from './hello.ts';
import { peerLimits } from './limits.ts';
import type { PeerPlace } from './peer-exchange-options.ts';
import type { FactsOfPeer } from './peer-facts.ts';
import { type PeerCredentials, peerListenOptions, peerProtocol, withoutDelay } from './tls.ts';

/** Why a peer was not let in. */
class NotLetIn extends Error {
  readonly reason: PeerRefusal;

  constructor(reason: PeerRefusal, text: string) {
    super(text);
    this.reason = reason;
  }
}

export class PeerListener {
  readonly #exchanges: Exchanges;
  readonly #server: Server;
  /** Connections of those who are not admitted yet, and of these, who has not said hello, the oldest first. */
  readonly #strangers = new Set<PeerConnection>();
  readonly #silent = new Set<PeerConnection>();

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
    const { credentials, options } = exchanges;
    this.#server = createServer(peerListenOptions(credentials), (socket) => this.#came(socket));
    this.#server.maxConnections = options.rules.maxPeers + peerLimits.strangers;
    // Who does not shake hands is nobody.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** @returns the port; 0 at a path. @throws the system's error where the place is taken */
  async listen(place: PeerPlace): Promise<number> {
    if ('path' in place) await listenAtPath(this.#server, place.path);
    else await listenAlone(this.#server, place);
    // Later ones, as where no more descriptors are free, concern one connection that nobody has yet.
    const { log } = this.#exchanges.options;
    this.#server.on('error', ({ message }) => log.warn({ reason: message }, 'a peer’s connection cannot be taken'));
    return 'path' in place ? 0 : (this.#server.address() as AddressInfo).port;
  }

  /** A renewed certificate, for connections from now on. */
  renew({ key, cert }: PeerCredentials): void {
    this.#server.setSecureContext(peerListenOptions({ key, cert }));
  }

  async close(): Promise<void> {
    if (this.#server.listening) {
      const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
      for (const connection of this.#strangers) connection.close('closing');
      await closed;
    }
  }

  #came(socket: TLSSocket): void {
    socket.on('error', () => {});
    const { options } = this.#exchanges;
    const chain = peerChain(socket);
    // Who has nothing to say gives way: a peer says hello as soon as it has shaken hands.
    const [silent] = this.#strangers.size >= peerLimits.strangers ? this.#silent : [];
    silent?.close('others want its place');
    const isFull =
      this.#strangers.size >= peerLimits.strangers || this.#exchanges.connections >= options.rules.maxPeers;
    if (isFull || socket.alpnProtocol !== peerProtocol || socket.isSessionReused()) {
      this.#exchanges.tally.refuse(isFull ? 'full' : 'no_hello');
      socket.destroy();
      return;
    }
    const { timers, limits = {} } = options;
    const connection = new PeerConnection({
      ...{ socket: withoutDelay(socket), timers, limits },
      handler: deaf,
    });
    this.#strangers.add(connection);
    this.#silent.add(connection);
    awaitHello(connection, {
      timers,
      came: (hello) => {
        this.#silent.delete(connection);
        void this.#judge(connection, chain, hello);
      },
      failed: () => {
        this.#silent.delete(connection);
        this.#strangers.delete(connection);
        this.#exchanges.tally.refuse('no_hello');
      },
    });
  }

  async #judge(connection: PeerConnection, chain: readonly Uint8Array[], hello: Hello): Promise<void> {
    const { options, tally } = this.#exchanges;
    const node = shownNode(chain);
    try {
      const { facts, role, notAfterMs, provider } = await this.#admit(chain, hello);
      const exchange = await this.#exchangeOf(hello, facts);
      if (exchange.isBanned(provider)) throw new NotLetIn('dropped_before', 'it was dropped for good before');
      if (connection.isClosed) return;
      connection.send(helloOf(hello));
      exchange.add({ provider, chain, role, notAfterMs, isDialled: false, connection });
    } catch (error) {
      const reason: PeerRefusal = error instanceof NotLetIn ? error.reason : 'chain_away';
      tally.refuse(reason);
      const fields = { peer: node?.provider, deployment: deploymentKey(hello), reason };
      options.log.info(fields, `a peer was not let in: ${(error as Error).message}`);
      connection.close('not let in');
    } finally {
      this.#strangers.delete(connection);
    }
  }

  async #admit(chain: readonly Uint8Array[], hello: Hello) {
    const { options, facts: peerFacts, wanted } = this.#exchanges;
    const provider = shownNode(chain)?.provider;
    // Which leases there are everybody can read on the chain; who asks about others makes us ask nothing.
    if (hello.protocol !== swarmProtocol || hello.chainId !== options.chainId || !wanted.has(deploymentKey(hello))) {
      throw new NotLetIn('other_manifest', 'it names a deployment that nobody here takes part in');
    }
    if (provider === undefined) throw new NotLetIn('certificates_malformed', 'it shows no certificate of a node');
    if (provider === options.own) throw new NotLetIn('other_node', 'it is a node of this provider');
    const { owner, dseq } = hello;
    await this.#requireParticipant(hello, provider);
    const facts = await peerFacts.peer({ owner, dseq, provider });
    const answer = admitPeer({
      ...{ chain, ...facts, expected: { chainId: options.chainId }, isStanding: false },
      ...{ serveGraceBlocks: options.rules.serveGraceBlocks, nowMs: options.timers.now() },
    });
    if (!answer.admitted) throw new NotLetIn(answer.reason, answer.text);
    return { facts, provider, role: answer.role, notAfterMs: answer.notAfterMs };
  }

  /** One who takes part in nothing makes us look at the chain once a block, and never at its provider. */
  async #requireParticipant(hello: Hello, provider: string): Promise<void> {
    const { facts } = this.#exchanges;
    const { owner, dseq, revision } = hello;
    const takesPart = (view: DeploymentView | undefined): boolean =>
      view?.participants.some((one) => one.provider === provider) === true;
    const { value } = await facts.deployment(owner, dseq);
    if (takesPart(value) && value !== undefined && revision <= value.revision) return;
    // A participant of the last moment, or an update.
    const newest = await facts.deploymentAgain(owner, dseq);
    if (!takesPart(newest.value)) throw new NotLetIn('no_lease', noLease(provider, newest.value));
  }

  /** Of the chain's revision, or of the one before where it is still held. */
  async #exchangeOf(name: ManifestName, { deployment }: FactsOfPeer): Promise<Exchange> {
    if (deployment === undefined) throw new NotLetIn('other_manifest', 'the chain has no such deployment');
    const current = await this.#exchanges.current(deployment);
    const { chainId, owner, dseq, revision, version } = name;
    const isCurrent = revision === deployment.revision && equalBytes(version, deployment.version);
    if (isCurrent) return current;
    const held = revision + 1n === deployment.revision ? await this.#exchanges.options.store.carried(name) : undefined;
    if (held === undefined || !equalBytes(held.manifest.version, version)) {
      const text = `it names revision ${revision}, the chain is at ${deployment.revision}`;
      throw new NotLetIn('other_manifest', text);
    }
    return this.#exchanges.open({ chainId, owner, dseq, revision, version });
  }
}
