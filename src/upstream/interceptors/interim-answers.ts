import { ForwardingHandler, type Controller, type Interceptor, type ResponseHeaders } from './interceptor.ts';

/**
 * Keeps 1xx answers (103 Early Hints) from being taken for the answer. undici itself treats 100 and 101 as a broken
 * connection: we ask for neither.
 */
export function interimAnswers(): Interceptor {
  return (dispatch) => (call, handler) => dispatch(call, new FinalAnswers(handler));
}

class FinalAnswers extends ForwardingHandler {
  override onResponseStart(controller: Controller, status: number, headers: ResponseHeaders, text?: string): void {
    if (status >= 200) this.next.onResponseStart(controller, status, headers, text);
  }
}
