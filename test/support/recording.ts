/** The service, with every call of its methods noted as `name.method`. */
export function recording<T extends object>(service: T, name: string, calls: string[]): T {
  return new Proxy(service, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        calls.push(`${name}.${String(property)}`);
        return Reflect.apply(value, target, given);
      };
    },
  });
}
