using Oriel.Agents;
using Oriel.Protocol.Guest;

namespace Oriel.Tests.Agents;

/// <summary>However many ask one guest at once, the server holds no more of it.</summary>
public sealed class AgentBudgetTests
{
    private const int Each = 4 * 1024 * 1024;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Output_OfAllCommandsTogether_IsBoundedAndFreedWithTheAnswers()
    {
        await using var agent = await HostileAgent.StartAsync("/oriel.guest.v1.Guest/Exec", HostileAgent.Output, Each);
        using var link = new AgentLink(agent.SocketPath, agent.Key);
        var connection = await link.ConnectAsync(Token);
        var commands = (int)(AgentBudget.MaxOutput / Each) + 4;

        var outcomes = await Task.WhenAll(Enumerable.Range(0, commands).Select(_ => RunAsync(connection)));
        Assert.Equal(AgentBudget.MaxOutput, outcomes.Sum(outcome => (long)outcome.Stdout.Length));
        Assert.Equal(AgentBudget.MaxOutput, connection.Budget.Output);
        Assert.All(outcomes, outcome => Assert.Equal(outcome.Stdout.Length < Each, outcome.Truncated));
        Assert.All(outcomes, outcome => Assert.NotNull(outcome.Exit));

        Assert.All(outcomes, outcome => outcome.Dispose());
        Assert.All(outcomes, outcome => outcome.Dispose());
        Assert.Equal(0, connection.Budget.Output);
        using var next = await RunAsync(connection);
        Assert.Equal((Each, false), (next.Stdout.Length, next.Truncated));
    }

    [Fact]
    public async Task LargeAnswers_AreFetchedTwoAtATime()
    {
        var budget = new AgentBudget();
        var turns = Enumerable.Range(0, AgentBudget.MaxLargeAnswers).Select(_ => budget.TakeTurnAsync(Token)).ToList();
        Assert.All(turns, turn => Assert.True(turn.IsCompletedSuccessfully));

        var waiting = budget.TakeTurnAsync(Token);
        Assert.False(waiting.IsCompleted);
        (await turns[0]).Dispose();
        (await turns[0]).Dispose();
        using var taken = await waiting.WaitAsync(TimeSpan.FromSeconds(30), Token);
        Assert.False(budget.TakeTurnAsync(new CancellationToken(canceled: true)).IsCompletedSuccessfully);
    }

    private static Task<ExecOutcome> RunAsync(AgentConnection connection) =>
        connection.ExecAsync(new ExecStart { Command = "flood" }, default, Each, Token);
}
