/** What a provider may state of itself: pure checks of one field each. */
import type { ErrorKind } from '@mu/framework/errors';
import { addressBytes } from '@mu/framework/message-registry';
import { toHex } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import type { Attribute, EncryptionKey, MetricPrice, Params, RootCertificate } from '@mu/proto/provider';
import {
  errAttribute,
  errKey,
  errKeyReused,
  errLastKey,
  errMetric,
  errNode,
  errOperator,
  errPrices,
  errRegion,
  errRoot,
  errService,
  errUri,
} from './errors.ts';
import { namePattern } from './params.ts';

const maxUriBytes = 256;
const maxCertificateBytes = 2048;
/** Keys of Ed25519 and X25519. */
const keyBytes = 32;
const attributeKey = /^[a-z0-9./-]{1,64}$/;
const attributeValue = /^[\x20-\x7e]{1,128}$/;
export const nodeIdPattern = /^[a-z0-9-]{1,64}$/;

/** Host, and a port from 1 to 65535; an IPv6 address stands in brackets. */
const authority = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::([1-9]\d{0,4}))?$/i;

/** Which addresses a field takes. */
interface UriForm {
  readonly schemes: readonly string[];
  readonly needsPort: boolean;
}

/** The provider's own listener: always TLS, always with its port. */
export const hostForm: UriForm = { schemes: ['https'], needsPort: true };
/** The public door: the port may be the scheme's own. */
export const gatewayForm: UriForm = { schemes: ['https', 'http'], needsPort: false };

/** @throws AbciError not an address (5) */
export function checkUri(field: string, uri: string, { schemes, needsPort }: UriForm): void {
  const at = uri.indexOf('://');
  const rest = uri.slice(at + 3);
  const port = authority.exec(rest)?.[1];
  const fits =
    uri.length <= maxUriBytes &&
    schemes.includes(uri.slice(0, Math.max(at, 0))) &&
    authority.test(rest) &&
    (port === undefined ? !needsPort : Number(port) <= 65_535);
  if (!fits)
    throw errUri.wrap(
      `${field} "${uri.slice(0, maxUriBytes)}" is not ${schemes.join(' or ')}://host${needsPort ? ':port' : '[:port]'} of at most ${maxUriBytes} bytes`,
    );
}

/** @throws AbciError of the kind for a name that is unknown or stands twice */
function checkNames(kind: ErrorKind, names: readonly string[], known: readonly string[]): void {
  if (names.length === 0) throw kind.wrap('name at least one');
  if (new Set(names).size !== names.length) throw kind.wrap('one stands twice');
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw kind.wrap(`"${unknown.slice(0, 64)}"; known are ${known.join(', ')}`);
}

export const checkRegions = (regions: readonly string[], params: Params): void =>
  checkNames(errRegion, regions, params.regions);
export const checkServices = (services: readonly string[], params: Params): void =>
  checkNames(errService, services, params.services);

export function checkOperators(operators: readonly string[], params: Params, prefix: string): void {
  if (operators.length > params.maxOperators)
    throw errOperator.wrap(`${operators.length}, at most ${params.maxOperators}`);
  if (new Set(operators.map((operator) => operator.toLowerCase())).size !== operators.length)
    throw errOperator.wrap('one stands twice');
  for (const operator of operators) addressBytes(operator, prefix);
}

export function checkAuthorityKey(key: Uint8Array): void {
  if (key.length !== keyBytes) throw errKey.wrap(`node_authority_key has ${key.length} bytes, not ${keyBytes}`);
}

/**
 * Several may hold at a time: that is how one is replaced. Each stands once, so that its validity is one, and a set that is
 * over as a whole is a mistake: no peer could verify the provider any more.
 * @throws AbciError root certificates are wrong (11)
 */
export function checkRoots(roots: readonly RootCertificate[], params: Params, height: bigint): void {
  if (roots.length === 0) throw errRoot.wrap('name at least one');
  if (roots.length > params.maxRoots) throw errRoot.wrap(`${roots.length}, at most ${params.maxRoots}`);
  if (new Set(roots.map(({ certificate }) => toHex(certificate))).size !== roots.length)
    throw errRoot.wrap('a certificate stands twice');
  for (const root of roots) {
    const { length } = root.certificate;
    if (length === 0 || length > maxCertificateBytes)
      throw errRoot.wrap(`a certificate has ${length} bytes, at most ${maxCertificateBytes}`);
    if (!isDerSequence(root.certificate)) throw errRoot.wrap('a certificate is not one DER sequence');
    checkHeights(errRoot, root);
  }
  if (roots.every(({ validToHeight }) => validToHeight !== 0n && validToHeight < height))
    throw errRoot.wrap(`all of them ended before height ${height}`);
}

/** One ASN.1 SEQUENCE in DER that ends where the bytes end: the frame of every certificate, below 64 KiB. */
function isDerSequence(bytes: Uint8Array): boolean {
  const [tag, first = 0, second = 0, third = 0] = bytes;
  if (tag !== 0x30) return false;
  if (first < 0x80) return bytes.length === 2 + first;
  if (first === 0x81) return second >= 0x80 && bytes.length === 3 + second;
  return first === 0x82 && second > 0 && bytes.length === 4 + second * 256 + third;
}

export function checkEncryptionKeys(keys: readonly EncryptionKey[], params: Params): void {
  if (keys.length > params.maxEncryptionKeys)
    throw errKey.wrap(`${keys.length} encryption keys, at most ${params.maxEncryptionKeys}`);
  if (new Set(keys.map(({ keyId }) => keyId)).size !== keys.length)
    throw errKey.wrap('an encryption key_id stands twice');
  for (const key of keys) {
    if (key.publicKey.length !== keyBytes)
      throw errKey.wrap(`an encryption key has ${key.publicKey.length} bytes, not ${keyBytes}`);
    checkHeights(errKey, key);
  }
}

/**
 * A key_id means one key for ever: a manifest is sealed to it, and a reader who saw an older registry must not take another
 * key for it. New ids are above all that stand, and the highest stands until a higher one comes; so no id that was dropped
 * comes back, without a list of them.
 * @param before the keys that stand
 * @throws AbciError a key_id is for another key (25), the last encryption key stays (26)
 */
export function checkRotation(keys: readonly EncryptionKey[], before: readonly EncryptionKey[]): void {
  const last = before.reduce((highest, { keyId }) => Math.max(highest, keyId), -1);
  for (const { keyId, publicKey } of keys) {
    const standing = before.find((one) => one.keyId === keyId);
    if (standing === undefined && keyId <= last)
      throw errKeyReused.wrap(`key_id ${keyId} may have been used: a new key has one above ${last}`);
    if (standing !== undefined && toHex(standing.publicKey) !== toHex(publicKey))
      throw errKeyReused.wrap(`key_id ${keyId} is ${toHex(standing.publicKey)}: give the new key one above ${last}`);
  }
  if (last >= 0 && keys.every(({ keyId }) => keyId < last))
    throw errLastKey.wrap(`key_id ${last}: end it with valid_to_height, or add a key above it`);
}

interface Validity {
  readonly validFromHeight: bigint;
  readonly validToHeight: bigint;
}

/** @throws AbciError of the kind for a period that ends before it begins */
export function checkHeights(kind: ErrorKind, { validFromHeight, validToHeight }: Validity): void {
  if (validFromHeight < 0n || validToHeight < 0n || (validToHeight !== 0n && validToHeight < validFromHeight)) {
    throw kind.wrap(`valid from height ${validFromHeight} to ${validToHeight}`);
  }
}

export function checkAttributes(attributes: readonly Attribute[], params: Params): void {
  if (attributes.length > params.maxAttributes)
    throw errAttribute.wrap(`${attributes.length}, at most ${params.maxAttributes}`);
  checkAttributeForm(attributes);
}

/** Keys and values as indexes take them, whatever the parameters say of their number. */
export function checkAttributeForm(attributes: readonly Attribute[]): void {
  if (new Set(attributes.map(({ key }) => key)).size !== attributes.length)
    throw errAttribute.wrap('a key stands twice');
  for (const { key, value } of attributes) {
    if (!attributeKey.test(key)) throw errAttribute.wrap('a key has 1 to 64 of a-z, 0-9, ., / and -');
    if (!attributeValue.test(value)) throw errAttribute.wrap(`${key}: a value has 1 to 128 printable ASCII characters`);
  }
}

/** @throws AbciError price list is wrong (13), unknown metric (8) */
export function checkPrices(prices: readonly MetricPrice[], params: Params): void {
  if (prices.length === 0) throw errPrices.wrap('a list has at least one price');
  if (prices.length > params.maxPrices) throw errPrices.wrap(`${prices.length} prices, at most ${params.maxPrices}`);
  const unknown = prices.find(({ metric }) => !params.metrics.some(({ name }) => name === metric));
  if (unknown !== undefined) throw errMetric.wrap(`"${unknown.metric.slice(0, 64)}"`);
  checkPriceForm(prices);
}

/**
 * Prices as indexes take them, whatever the parameters say of metrics. They ascend by metric, so that a list has one encoding.
 * @throws AbciError price list is wrong (13)
 */
export function checkPriceForm(prices: readonly MetricPrice[]): void {
  for (const [index, { metric, price, per }] of prices.entries()) {
    const before = prices[index - 1];
    if (!namePattern.test(metric)) throw errPrices.wrap(`"${metric.slice(0, 64)}" is no name of a metric`);
    if (before !== undefined && before.metric >= metric) throw errPrices.wrap(`${metric} does not ascend`);
    if (per < 1n) throw errPrices.wrap(`${metric}: per is at least 1`);
    if (readDec(price, metric).isNegative()) throw errPrices.wrap(`${metric}: a price is not below 0`);
  }
}

function readDec(atomics: string, metric: string): Dec {
  try {
    return Dec.fromAtomics(atomics);
  } catch (error) {
    throw errPrices.wrap(`${metric}: ${error instanceof Error ? error.message : 'not a decimal'}`);
  }
}

export interface NodeTerms extends Validity {
  readonly nodeId: string;
  readonly publicKey: Uint8Array;
  readonly region: string;
}

export function checkNode(node: NodeTerms, regions: readonly string[], height: bigint): void {
  if (!nodeIdPattern.test(node.nodeId)) throw errNode.wrap('node_id has 1 to 64 of a-z, 0-9 and -');
  if (node.publicKey.length !== keyBytes)
    throw errKey.wrap(`public_key has ${node.publicKey.length} bytes, not ${keyBytes}`);
  if (!regions.includes(node.region)) throw errRegion.wrap(`the provider does not serve "${node.region.slice(0, 64)}"`);
  if (node.validFromHeight < 0n || node.validToHeight < node.validFromHeight) {
    throw errNode.wrap(`valid from height ${node.validFromHeight} to ${node.validToHeight}`);
  }
  if (node.validToHeight < height) throw errNode.wrap(`valid to height ${node.validToHeight}, which is over`);
}
