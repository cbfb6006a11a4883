/** What the resolver answers by itself, and what it lets through: rules without sockets. */
import type { Answer, DecodedPacket } from 'dns-packet';
import { failed, isName, normalize, type Query, type Rcode, type Reply, rcodes } from './dns-messages.ts';
import { isPublicAddress } from './ipv4.ts';

/** Names of peers stand below it. */
export const zone = 'mu.internal';
/** A peer can move within so many seconds. */
export const peerTtlSeconds = 5;

/** What one network may ask for. */
export interface ResolverTable {
  /** IPv4 address by the peer's name, `db` for `db.mu.internal`; lower case. */
  readonly peers: ReadonlyMap<string, string>;
  /** `none`: no other name is answered, for a question itself can carry data out. */
  readonly egress: 'none' | 'public';
}

/** Records that are passed on. Zone transfers, ANY, and what carries addresses in another form are not. */
const forwarded: ReadonlySet<string> = new Set([
  'A',
  'CAA',
  'CNAME',
  'MX',
  'NAPTR',
  'NS',
  'PTR',
  'SOA',
  'SRV',
  'TXT',
  'URI',
]);
/** Answered with "nothing of this type": no workload has IPv6, and HTTPS and SVCB (64, 65) carry addresses. */
const withheld: ReadonlySet<string> = new Set(['AAAA', 'UNKNOWN_64', 'UNKNOWN_65']);
/** Names that mean something only within a house (RFC 6761, RFC 6762, RFC 8375): not a tenant's business. */
const houseNames = ['internal', 'local', 'localhost', 'localdomain', 'home.arpa', 'lan', 'invalid', 'test', 'onion'];

const nothing: Reply = { rcode: rcodes.ok, answers: [], authoritative: false };

/** @returns undefined where the question is to be asked elsewhere */
export function answerHere(query: Query, table: ResolverTable): Reply | undefined {
  if (isBelow(query.name, zone)) return answerPeer(query, table.peers);
  if (table.egress === 'none') return failed(rcodes.noSuchName);
  if (
    !query.name.includes('.') ||
    houseNames.some((name) => isBelow(query.name, name)) ||
    isPrivateReverse(query.name)
  ) {
    return failed(rcodes.noSuchName);
  }
  if (withheld.has(query.question.type)) return nothing;
  return forwarded.has(query.question.type) ? undefined : failed(rcodes.refused);
}

const isBelow = (name: string, parent: string): boolean => name === parent || name.endsWith(`.${parent}`);

function answerPeer({ name, question }: Query, peers: ReadonlyMap<string, string>): Reply {
  if (name === zone) return { ...nothing, authoritative: true };
  const address = peers.get(name.slice(0, -zone.length - 1));
  if (address === undefined) return { rcode: rcodes.noSuchName, answers: [], authoritative: true };
  const answers: Answer[] =
    question.type === 'A' ? [{ type: 'A', class: 'IN', name: question.name, ttl: peerTtlSeconds, data: address }] : [];
  return { rcode: rcodes.ok, answers, authoritative: true };
}

/** Who has a private address is the provider's business. IPv6 has no use here. */
function isPrivateReverse(name: string): boolean {
  if (isBelow(name, 'ip6.arpa')) return true;
  if (!isBelow(name, 'in-addr.arpa')) return false;
  const parts = name.split('.').slice(0, -2).reverse();
  return !isPublicAddress([...parts, '0', '0', '0', '0'].slice(0, 4).join('.'));
}

const passedRcodes: ReadonlySet<number> = new Set([rcodes.ok, rcodes.noSuchName]);

/**
 * What of another server's answer is passed on: the records that were asked for and the aliases on the way. Addresses
 * that are not public are left out, so that no name makes a private service look public (DNS rebinding).
 */
export function filterAnswer(query: Query, answer: DecodedPacket, maxRecords: number): Reply {
  const rcode = rcodeOf(answer);
  if (!passedRcodes.has(rcode)) return failed(rcodes.serverFailure);
  if (answer.flag_tc) return { ...nothing, truncated: true };
  const answers = (answer.answers ?? []).filter(
    (record) =>
      (record.type === query.question.type || record.type === 'CNAME') &&
      isName(record.name) &&
      (record.type !== 'A' || isPublicAddress(record.data)),
  );
  return { rcode, answers: answers.slice(0, maxRecords), authoritative: false };
}

function rcodeOf(answer: DecodedPacket): Rcode {
  const rcode = (answer.flags ?? 0) & 0xf;
  return Object.values(rcodes).find((known) => known === rcode) ?? rcodes.serverFailure;
}

/** Whether an answer is the one to this question: what else comes back is somebody's guess. */
export function isAnswerTo(id: number, query: Query, answer: DecodedPacket): boolean {
  const [question, ...more] = answer.questions ?? [];
  return (
    answer.type === 'response' &&
    answer.id === id &&
    more.length === 0 &&
    question !== undefined &&
    question.type === query.question.type &&
    normalize(question.name) === query.name
  );
}
