namespace Oriel.Agents;

/// <summary>
/// What the server holds of one desktop's guest at most, beside what a single message may have (<see cref="CallBounds"/>) and what is on
/// its way (HTTP/2's window of the connection, 64 MiB). However many ask at once, a guest cannot make it more. Safe for concurrent use.
/// </summary>
public sealed class AgentBudget
{
    /// <summary>Output of commands that run, or whose answer is being sent.</summary>
    public const long MaxOutput = 64L * 1024 * 1024;

    /// <summary>Screenshots and listings that are fetched at a time, each of up to 26 MiB; further ones wait.</summary>
    public const int MaxLargeAnswers = 2;

    private readonly SemaphoreSlim _turns = new(MaxLargeAnswers, MaxLargeAnswers);
    private long _output;

    /// <summary>Bytes of commands' output that are held now.</summary>
    public long Output => Interlocked.Read(ref _output);

    /// <returns>How many of these bytes there is room for, which are now held.</returns>
    internal int Hold(int bytes)
    {
        var over = Interlocked.Add(ref _output, bytes) - MaxOutput;
        if (over <= 0)
        {
            return bytes;
        }

        var left = (int)Math.Min(over, bytes);
        Interlocked.Add(ref _output, -left);
        return bytes - left;
    }

    internal void Release(long bytes) => Interlocked.Add(ref _output, -bytes);

    /// <summary>A turn to fetch a large answer, until it is disposed.</summary>
    public async Task<IDisposable> TakeTurnAsync(CancellationToken cancellationToken)
    {
        await _turns.WaitAsync(cancellationToken);
        return new Turn(_turns);
    }

    private sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        private SemaphoreSlim? _turns = turns;

        public void Dispose() => Interlocked.Exchange(ref _turns, null)?.Release();
    }
}
