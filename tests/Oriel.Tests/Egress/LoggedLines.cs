using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Oriel.Egress;

namespace Oriel.Tests.Egress;

/// <summary>What a gateway says to the operator, who has it in a file.</summary>
internal sealed class LoggedLines : ILogger<EgressGateway>
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> All => _lines;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        if (IsEnabled(logLevel))
        {
            _lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");
        }
    }
}
