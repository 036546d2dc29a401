using Oriel.Agent.Boot;

namespace Oriel.Tests.GuestAgent;

public sealed class PowerButtonTests
{
    [Theory]
    [InlineData(1, 116, 1, true)]
    [InlineData(1, 116, 0, false)]
    [InlineData(1, 30, 1, false)]
    [InlineData(0, 0, 0, false)]
    public void IsPress_AnEvent_OnlyThePowerKeyGoingDown(short type, short code, int value, bool press)
    {
        byte[] happened =
        [
            .. new byte[16],
            .. BitConverter.GetBytes(type),
            .. BitConverter.GetBytes(code),
            .. BitConverter.GetBytes(value),
        ];
        Assert.Equal(press, PowerButton.IsPress(happened));
    }
}
