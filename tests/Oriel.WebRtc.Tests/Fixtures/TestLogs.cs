using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Tests.Fixtures;

/// <summary>Writes the endpoint's log to the running test's output.</summary>
internal sealed class TestLogs : ILoggerFactory, ILogger
{
    public static TestLogs Factory { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) { }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel,
        EventId eventId,
        TState state,
        Exception? exception,
        Func<TState, Exception?, string> formatter
    )
    {
        try
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{logLevel}: {formatter(state, exception)} {exception}");
        }
        catch (InvalidOperationException)
        {
            // the test has ended
        }
    }

    public void Dispose() { }
}
