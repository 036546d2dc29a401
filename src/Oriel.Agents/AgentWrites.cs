using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Oriel.Agents;

/// <summary>
/// Makes what is written into a call that the agent has ended meanwhile fail in one way, as <see cref="RpcException"/>. The client's stack
/// has many, by how far it is in taking note: an ended call, a reset stream, a closed connection. Why the call ended is in its answer.
/// </summary>
internal sealed class AgentWrites : Interceptor
{
    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncClientStreamingCallContinuation<TRequest, TResponse> continuation
    )
    {
        var call = continuation(context);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            new Writer<TRequest>(call.RequestStream),
            call.ResponseAsync,
            call.ResponseHeadersAsync,
            call.GetStatus,
            call.GetTrailers,
            call.Dispose
        );
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        ClientInterceptorContext<TRequest, TResponse> context,
        AsyncDuplexStreamingCallContinuation<TRequest, TResponse> continuation
    )
    {
        var call = continuation(context);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            new Writer<TRequest>(call.RequestStream),
            call.ResponseStream,
            call.ResponseHeadersAsync,
            call.GetStatus,
            call.GetTrailers,
            call.Dispose
        );
    }

    private sealed class Writer<T>(IClientStreamWriter<T> inner) : IClientStreamWriter<T>
    {
        public WriteOptions? WriteOptions
        {
            get => inner.WriteOptions;
            set => inner.WriteOptions = value;
        }

        public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

        public Task WriteAsync(T message, CancellationToken cancellationToken) => EndedAsync(inner.WriteAsync(message, cancellationToken));

        public Task CompleteAsync() => EndedAsync(inner.CompleteAsync());

        private static async Task EndedAsync(Task writing)
        {
            try
            {
                await writing;
            }
            catch (Exception e) when (e is IOException or InvalidOperationException)
            {
                throw new RpcException(new Status(StatusCode.Unavailable, "The agent has ended the call.", e));
            }
        }
    }
}
