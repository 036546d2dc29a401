using Oriel.Desktops.Lifecycle;

namespace Oriel.Tests.Creation;

/// <summary>Which step a reason names where several run: the same one in whatever order they began.</summary>
public sealed class CreationStepsTests
{
    [Theory]
    [InlineData("first-frame", "files-verified", "first-frame")]
    [InlineData("files-verified", "first-frame", "first-frame")]
    [InlineData("browser-window", "terminal-window", "terminal-window")]
    [InlineData("guest-start", "namespaces", "namespaces")]
    [InlineData("session", "terminal-window", "session")]
    public void Running_TwoAtOnce_IsTheFirstInTheOrderAndANestedOneBeforeItsWaiter(string one, string other, string named) =>
        Assert.Equal(
            named,
            CreationSteps.Running([Step("prepare", StepState.Done), Step(one, StepState.Running), Step(other, StepState.Running)])
        );

    [Fact]
    public void Running_None_IsNull() =>
        Assert.Null(CreationSteps.Running([Step("prepare", StepState.Done), Step("keeper", StepState.Failed)]));

    [Theory]
    [InlineData("agent", "screen-size")]
    [InlineData("screen-size", "configure")]
    [InlineData("configure", "terminal-window")]
    [InlineData("adopt", "adopt")]
    public void Next_AfterTheLastThatIsDone_IsTheOneThatFollows(string done, string next) =>
        Assert.Equal(next, CreationSteps.Next([Step(done, StepState.Done), Step("mounts", StepState.Done)], "screen-size"));

    private static StepView Step(string name, StepState state) => new(name, state, DateTimeOffset.UnixEpoch, 0, null);
}
