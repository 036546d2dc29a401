namespace Oriel.Agent.Attestation;

internal static class AttestationServices
{
    public static IServiceCollection AddAttestation(this IServiceCollection services) =>
        services.AddSingleton<EnvironmentObserver>().AddSingleton<GuestObserver>();
}
