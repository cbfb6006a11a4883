/**
 * New certificates in a session that stands (docs/OVERLAY.md, Renewal). The handshake has proved the key of the first ones;
 * the key of newer ones is proved by a signature over what nobody else can know of this TLS connection, its exporter value
 * (RFC 8446 §7.5), as exported authenticators are (RFC 9261), of which this is the part that a tunnel needs.
 */
import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { TunnelCredentials } from './certificates.ts';
import { encodeRenewed, type Renewal } from './frames.ts';

/** Name of the exporter value that both sides take from their connection. */
const exporterLabel = 'EXPORTER-mu-tunnel-renewal';
const exporterBytes = 32;
/** What is signed begins so: a signature is good for nothing else. */
const purpose = Buffer.from('mu/tunnel/1/renewal');

/** P-256, as the library names it. */
const curve = 'prime256v1';

/** r and s, 32 bytes each: one form of each signature, of one length. */
const dsaEncoding = 'ieee-p1363';

/** The value that is this connection's alone, the same at both of its ends. */
export function bindingOf(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
}

/** The two certificates of credentials, in DER. @throws Error where they are none */
export function chainOf(cert: TunnelCredentials['cert']): Renewal['chain'] {
  const [leaf, node] = cert.split(/(?<=-----END CERTIFICATE-----)\s*(?=-)/).map((pem) => new X509Certificate(pem).raw);
  if (leaf === undefined || node === undefined) throw new Error('the credentials are not two certificates');
  return [leaf, node];
}

/** Makes and checks the proofs of one connection. */
export class RenewalProofs {
  readonly #binding: Buffer;
  readonly #isDialer: boolean;

  /** @param binding see `bindingOf` @param isDialer this side has made the connection */
  constructor(binding: Buffer, isDialer: boolean) {
    this.#binding = binding;
    this.#isDialer = isDialer;
  }

  /** @throws Error where the credentials are none */
  prove({ key, cert }: Pick<TunnelCredentials, 'key' | 'cert'>): Renewal {
    const chain = chainOf(cert);
    const signature = sign('sha256', this.#text(chain, this.#isDialer), { key: createPrivateKey(key), dsaEncoding });
    return { chain, signature };
  }

  /** Whether the peer holds the key of the certificate that it shows. */
  isProved({ chain, signature }: Renewal): boolean {
    try {
      const key = new X509Certificate(chain[0]).publicKey;
      // A short key of RSA has signatures of this length too.
      if (key.asymmetricKeyDetails?.namedCurve !== curve) return false;
      return verify('sha256', this.#text(chain, !this.#isDialer), { key, dsaEncoding }, signature);
    } catch {
      // It is no certificate, or has a key of another kind.
      return false;
    }
  }

  #text(chain: Renewal['chain'], isByDialer: boolean): Buffer {
    return Buffer.concat([purpose, Buffer.of(isByDialer ? 0 : 1), this.#binding, encodeRenewed(chain)]);
  }
}
