/** mucli provider list, mucli tx provider attest: who offers, and what auditors state of them. */

import { allItems, type Page, pageFrom } from '@mu/client/chain/pages';
import { table } from '@mu/lib/columns';
import { Dec } from '@mu/lib/dec';
import { messageOf } from '@mu/lib/error-message';
import { type Attribute, type MetricPrice, type Provider, ProviderState } from '@mu/proto/provider';
import { wholeNumber } from '../arguments.ts';
import { usageError } from '../errors.ts';
import type { Session } from '../session.ts';
import { grouped, wordOf } from '../words.ts';
import { reportTx } from './tx.ts';

export interface ListOptions {
  readonly region?: string;
  readonly attribute?: readonly string[];
  readonly metric?: string;
  /** in base units, decimal, for `per` units of the metric */
  readonly maxPrice?: string;
  readonly per: string;
  readonly state: string;
  readonly limit: string;
  /** base64 of a page's next key */
  readonly pageKey?: string;
  readonly all?: boolean;
}

/** One provider with the price that was asked for. */
interface Offer {
  readonly provider: Provider;
  readonly price: MetricPrice | undefined;
}

export async function listProviders(session: Session, options: ListOptions): Promise<void> {
  const filter = filterOf(options);
  const client = await session.client();
  session.output.step('not verified: a list is as the node says');
  let next = new Uint8Array();
  const ask = (pagination: Page) => client.provider.providers({ ...filter, pagination });
  const firstPage = async (): Promise<readonly Provider[]> => {
    const key = Uint8Array.from(Buffer.from(options.pageKey ?? '', 'base64'));
    const answer = await ask(pageFrom(key, wholeNumber(options.limit, '--limit')));
    next = Uint8Array.from(answer.pagination?.nextKey ?? []);
    return answer.providers;
  };
  const providers = options.all === true ? await allItems(ask, (answer) => answer.providers) : await firstPage();
  const offers = await Promise.all(
    providers.map(async (provider): Promise<Offer> => {
      if (filter.metric === '') return { provider, price: undefined };
      const { priceList } = await client.provider.priceList({ owner: provider.owner, version: 0n });
      return { provider, price: priceList?.prices.find(({ metric }) => metric === filter.metric) };
    }),
  );
  const nextKey = Buffer.from(next).toString('base64');
  session.output.result({ providers: offers.map(factsOf), next_key: nextKey }, () => listText(offers, filter, nextKey));
}

interface Filter {
  readonly region: string;
  readonly attributes: readonly Attribute[];
  readonly metric: string;
  readonly maxPrice: string;
  readonly maxPricePer: bigint;
  readonly state: ProviderState;
}

/** @throws CliError for what cannot be asked */
export function filterOf(options: ListOptions): Filter & { attributes: Attribute[] } {
  const { region = '', metric = '', maxPrice, attribute = [] } = options;
  if (maxPrice !== undefined && metric === '') throw usageError('--max-price is of a metric: name it with --metric');
  const states = [
    ProviderState.PROVIDER_STATE_ACTIVE,
    ProviderState.PROVIDER_STATE_LEAVING,
    ProviderState.PROVIDER_STATE_GONE,
  ];
  const state = states.find((one) => wordOf(ProviderState, one) === options.state);
  if (state === undefined)
    throw usageError(`--state: "${options.state}" is not allowed; write active, leaving or gone`);
  return {
    region,
    metric,
    attributes: attribute.map(parseAttribute),
    maxPrice: maxPrice === undefined ? '' : atomicsOf(maxPrice),
    maxPricePer: wholeNumber(options.per, '--per'),
    state,
  };
}

function atomicsOf(text: string): string {
  try {
    return Dec.fromString(text).atomicsString();
  } catch (error) {
    throw usageError(`--max-price: ${messageOf(error)}`);
  }
}

/** `tier=gold`. @throws CliError */
export function parseAttribute(text: string): Attribute {
  const at = text.indexOf('=');
  if (at < 1) throw usageError(`"${text}" is no attribute: write key=value`);
  return { key: text.slice(0, at), value: text.slice(at + 1) };
}

function listText(offers: readonly Offer[], { metric }: Filter, nextKey: string): string {
  if (offers.length === 0) return 'nobody offers that';
  const priceOf = (price: MetricPrice | undefined): string =>
    price === undefined ? '' : `${grouped(Dec.fromAtomics(price.price))} for ${grouped(price.per)}`;
  const rows = offers.map(({ provider, price }) => [
    provider.owner,
    provider.regions.join(', '),
    provider.services.join(', '),
    provider.attributes.map(({ key, value }) => `${key}=${value}`).join(', '),
    priceOf(price),
  ]);
  const head = ['PROVIDER', 'REGIONS', 'SERVICES', 'ATTRIBUTES', metric === '' ? '' : metric.toUpperCase()];
  const more = nextKey === '' ? '' : `\nmore with --page-key ${nextKey}`;
  return `${table(head, rows)}${more}`;
}

function factsOf({ provider, price }: Offer): object {
  const { owner, regions, services, attributes, hostUri, gatewayUri, priceListVersion, state } = provider;
  return {
    owner,
    regions,
    services,
    attributes,
    host_uri: hostUri,
    gateway_uri: gatewayUri,
    price_list_version: priceListVersion,
    state: wordOf(ProviderState, state),
    ...(price === undefined ? {} : { price: price.price, per: price.per }),
  };
}

/** What the sender, an auditor, states of a provider from now on. */
export async function attest(
  session: Session,
  provider: string,
  texts: readonly string[],
  withdraws: boolean,
): Promise<void> {
  if (withdraws === texts.length > 0)
    throw usageError(
      withdraws ? '--withdraw takes no attributes' : 'state at least one attribute, like tier=gold, or --withdraw',
    );
  const attributes = texts.map(parseAttribute);
  const [{ MsgAttestProvider }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/provider'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  const message = toEncodeObject(MsgAttestProvider, { auditor: sender.address, provider, attributes });
  reportTx(session, await sender.sendAndWait([message]), { provider, attributes });
}
