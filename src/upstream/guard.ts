import { classifyAddress, type AddressClass } from '../core/addresses.ts';

/** Decides, at connect time and after DNS, which addresses may be connected to. */
export interface AddressGuard {
  /** Null: permitted. Otherwise why not. `named`: the address came from DNS, not from the URL itself. */
  refusal(address: string, port: number, named: boolean): AddressClass | null;
}

/**
 * Refuses every address that is not public, unless the operator allowed private networks for this provider.
 * `allowedLoopback` holds exact `127.0.0.1:port` pairs (the sandbox's); a name that resolves to one does not pass,
 * so that no foreign DNS answer reaches them.
 */
export function createAddressGuard({
  allowPrivateNetwork,
  allowedLoopback,
}: {
  allowPrivateNetwork: boolean;
  allowedLoopback: ReadonlySet<string>;
}): AddressGuard {
  return {
    refusal(address, port, named) {
      const is = classifyAddress(address);
      if (is === 'public') return null;
      if (is === 'not_an_address') return is;
      if (allowPrivateNetwork) return null;
      if (!named && address === '127.0.0.1' && allowedLoopback.has(`127.0.0.1:${port}`)) return null;
      return is;
    },
  };
}
