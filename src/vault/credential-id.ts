const STORED_ID = /^cred_[0-9a-z]{26}$/;

/** Tells a stored credential's id from a reference such as `env:NAME`. */
export function isStoredId(id: string): boolean {
  return STORED_ID.test(id);
}
