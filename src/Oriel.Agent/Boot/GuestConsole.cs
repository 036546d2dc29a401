using System.Globalization;
using System.Threading.Channels;

namespace Oriel.Agent.Boot;

/// <summary>
/// The guest's console: standard output, one line an event, <c>TIME LEVEL SOURCE TEXT</c>. A reader that does not keep up loses the
/// newest lines (their number is reported), so that the guest never waits for its console.
/// </summary>
internal sealed class GuestConsole : ILoggerProvider
{
    private const int MaxLineLength = 1000;
    private const int MaxWaitingLines = 2000;

    private readonly Channel<string> _lines = Channel.CreateBounded<string>(
        new BoundedChannelOptions(MaxWaitingLines) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true }
    );

    private readonly Thread _writer;
    private readonly TimeProvider _clock;
    private long _lost;

    public GuestConsole(TimeProvider clock)
    {
        _clock = clock;
        // A thread of its own: the write blocks for as long as the console's reader pleases.
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "console" };
        _writer.Start();
    }

    public void Write(string level, string source, string text)
    {
        var time = _clock.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        if (!_lines.Writer.TryWrite($"{time} {level} {source} {OneLine(text)}"))
        {
            Interlocked.Increment(ref _lost);
        }
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, ShortName(categoryName));

    /// <summary>Writes what waits, for at most a second.</summary>
    public void Dispose()
    {
        _lines.Writer.TryComplete();
        _writer.Join(TimeSpan.FromSeconds(1));
    }

    internal static string OneLine(string text)
    {
        if (text.Length > MaxLineLength)
        {
            text = string.Concat(text.AsSpan(0, MaxLineLength), "…");
        }

        return text.AsSpan().ContainsAnyInRange('\0', '\x1f') || text.Contains('\x7f')
            ? string.Create(
                text.Length,
                text,
                static (span, source) =>
                {
                    for (var i = 0; i < span.Length; i++)
                    {
                        span[i] = char.IsControl(source[i]) ? ' ' : source[i];
                    }
                }
            )
            : text;
    }

    private static string ShortName(string category) => category[(category.LastIndexOf('.') + 1)..];

    private void WriteAll()
    {
        using var output = Console.OpenStandardOutput();
        try
        {
            while (_lines.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (_lines.Reader.TryRead(out var line))
                {
                    output.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
                }

                if (Interlocked.Exchange(ref _lost, 0) is > 0 and var lost)
                {
                    output.Write(System.Text.Encoding.UTF8.GetBytes($"{lost} console lines lost\n"));
                }
            }
        }
        catch (IOException)
        {
            // Nobody reads the console any more; the agent continues without it.
        }
    }

    private sealed class Logger(GuestConsole console, string source) : ILogger
    {
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
                var text = formatter(state, exception);
                console.Write(
                    Level(logLevel),
                    source,
                    exception is null ? text : $"{text}: {exception.GetType().Name}: {exception.Message}"
                );
            }
        }

        private static string Level(LogLevel level) =>
            level switch
            {
                LogLevel.Warning => "warn",
                LogLevel.Error or LogLevel.Critical => "error",
                _ => "info",
            };
    }
}
