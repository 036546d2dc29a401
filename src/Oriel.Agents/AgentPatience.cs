using Grpc.Core;
using Grpc.Core.Interceptors;

namespace Oriel.Agents;

/// <summary>How long the server waits for an agent that does not answer.</summary>
public sealed record AgentPatience
{
    /// <summary>For the answer to a call whose caller has no deadline of its own.</summary>
    public TimeSpan Answer { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For the exit of a command, once the command's own time is over.</summary>
    public TimeSpan Exit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For guests that are so many times slower.</summary>
    public AgentPatience Scaled(double factor) => new() { Answer = Answer * factor, Exit = Exit * factor };

    /// <summary>As gRPC takes it, which knows no clock but the system's.</summary>
    internal static DateTime After(TimeSpan time) => (TimeProvider.System.GetUtcNow() + time).UtcDateTime;

    /// <summary>Gives calls that <see cref="CallBounds"/> says to be timed their deadline.</summary>
    internal sealed class Deadlines(TimeSpan answer) : Interceptor
    {
        public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
            TRequest request,
            ClientInterceptorContext<TRequest, TResponse> context,
            AsyncUnaryCallContinuation<TRequest, TResponse> continuation
        ) =>
            continuation(
                request,
                CallBounds.Of(context.Method.Name).IsTimed
                    ? new ClientInterceptorContext<TRequest, TResponse>(
                        context.Method,
                        context.Host,
                        context.Options.WithDeadline(After(answer))
                    )
                    : context
            );
    }
}
