using Microsoft.Extensions.Time.Testing;
using Oriel.Protocol;

namespace Oriel.Tests.Desktops;

public sealed class WakeTests
{
    private static readonly TimeSpan Due = TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider _clock = new();
    private readonly Wake _wake = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WaitAsync_SetBefore_ReturnsImmediatelyAndOnce()
    {
        _wake.Set();
        _wake.Set();
        Assert.True(await _wake.WaitAsync(Due, _clock, Token));
        Assert.False(_wake.WaitAsync(Due, _clock, Token).IsCompleted);
    }

    [Fact]
    public async Task WaitAsync_SetMeanwhile_ReturnsTrue()
    {
        var waiting = _wake.WaitAsync(Due, _clock, Token);
        Assert.False(waiting.IsCompleted);
        _wake.Set();
        _wake.Set();
        Assert.True(await waiting);
        Assert.False(_wake.WaitAsync(Due, _clock, Token).IsCompleted);
    }

    [Fact]
    public async Task WaitAsync_TimeIsOver_ReturnsFalse()
    {
        var waiting = _wake.WaitAsync(Due, _clock, Token);
        _clock.Advance(Due - TimeSpan.FromMilliseconds(1));
        Assert.False(waiting.IsCompleted);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.False(await waiting);
    }

    [Fact]
    public async Task WaitAsync_SetAfterTheTimeWasOver_IsForTheNextWait()
    {
        var waiting = _wake.WaitAsync(Due, _clock, Token);
        _clock.Advance(Due);
        Assert.False(await waiting);
        _wake.Set();
        Assert.True(await _wake.WaitAsync(Due, _clock, Token));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-3)]
    public void WaitAsync_NoTimeIsLeft_DoesNotWait(int seconds)
    {
        var due = TimeSpan.FromSeconds(seconds);
        Assert.False(Completed(_wake.WaitAsync(due, _clock, Token)));
        _wake.Set();
        Assert.True(Completed(_wake.WaitAsync(due, _clock, Token)));
    }

    [Fact]
    public async Task WaitAsync_NoDeadline_WaitsUntilItIsSet()
    {
        var waiting = _wake.WaitAsync(null, _clock, Token);
        _clock.Advance(TimeSpan.FromDays(1));
        Assert.False(waiting.IsCompleted);
        _wake.Set();
        Assert.True(await waiting);
    }

    [Fact]
    public async Task WaitAsync_Cancelled_ThrowsAndKeepsWhatIsSet()
    {
        using var cancel = new CancellationTokenSource();
        var waiting = _wake.WaitAsync(Due, _clock, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        _wake.Set();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _wake.WaitAsync(Due, _clock, cancel.Token));
        Assert.True(await _wake.WaitAsync(Due, _clock, Token));
    }

    [Fact]
    public async Task Set_FromManyThreads_WakesForTheLast()
    {
        const int Changes = 10_000;
        var made = 0;
        var making = Task.Run(
            () =>
                Parallel.For(
                    0,
                    Changes,
                    _ =>
                    {
                        Interlocked.Increment(ref made);
                        _wake.Set();
                    }
                ),
            Token
        );
        while (Volatile.Read(ref made) < Changes)
        {
            await _wake.WaitAsync(Token);
        }

        await making;
    }

    private static bool Completed(Task<bool> task)
    {
        Assert.True(task.IsCompletedSuccessfully);
        return task.Result;
    }
}
