package reach

import (
	"context"

	"github.com/bulkheadhq/bulkhead/internal/wire"
)

// Metadata is the cloud description that clients with a configurable cloud read: az cloud register (2015-01-01), ARM_CLOUD_METADATA_URL and
// older SDKs (2019-05-01, a list), Terraform and Az PowerShell (2022-09-01, one object). It describes the way the asking client came in.
func Metadata() wire.Service {
	return wire.Service{Name: "metadata", Routes: []wire.Route{{
		Host: wire.HostARM, Method: "GET", Pattern: "/metadata/endpoints", Operation: "MetadataEndpoints",
		Versions: wire.Versions{Required: true, First: "2015-01-01"}, Auth: wire.Anonymous, Quiet: true,
		Handler: func(_ context.Context, r *wire.Request) (any, error) { return metadata(r), nil },
	}}}
}

func metadata(r *wire.Request) any {
	switch v := r.APIVersion; {
	case v < "2018-05-01":
		return describeOld(r)
	case v >= "2019-05-01" && v < "2022-09-01":
		return []cloud{describe(r)}
	default:
		return describe(r)
	}
}

// cloudOld is the document of 2015-01-01.
type cloudOld struct {
	Gallery        string            `json:"galleryEndpoint"`
	Graph          string            `json:"graphEndpoint"`
	Portal         string            `json:"portalEndpoint"`
	Authentication cloudOldAuthority `json:"authentication"`
}

type cloudOldAuthority struct {
	Login     string   `json:"loginEndpoint"`
	Audiences []string `json:"audiences"`
}

// cloud is the document from 2018-05-01 on.
type cloud struct {
	Name                string         `json:"name"`
	Portal              string         `json:"portal"`
	Authentication      cloudAuthority `json:"authentication"`
	ResourceManager     string         `json:"resourceManager"`
	Graph               string         `json:"graph"`
	GraphAudience       string         `json:"graphAudience"`
	MicrosoftGraph      string         `json:"microsoftGraphResourceId"`
	ActiveDirectoryLake string         `json:"activeDirectoryDataLake"`
	Batch               string         `json:"batch"`
	Gallery             string         `json:"gallery"`
	Media               string         `json:"media"`
	SQLManagement       string         `json:"sqlManagement"`
	VMImageAliasDoc     string         `json:"vmImageAliasDoc"`
	AppInsights         string         `json:"appInsightsResourceId"`
	LogAnalytics        string         `json:"logAnalyticsResourceId"`
	OSSRDBMS            string         `json:"ossrDbmsResourceId"`
	Suffixes            cloudSuffixes  `json:"suffixes"`
}

type cloudAuthority struct {
	Login     string   `json:"loginEndpoint"`
	Audiences []string `json:"audiences"`
	Tenant    string   `json:"tenant"`
	Provider  string   `json:"identityProvider"`
}

type cloudSuffixes struct {
	KeyVault    string `json:"keyVaultDns"`
	ManagedHSM  string `json:"mhsmDns"`
	Storage     string `json:"storage"`
	SQL         string `json:"sqlServerHostname"`
	MySQL       string `json:"mysqlServerEndpoint"`
	PostgreSQL  string `json:"postgresqlServerEndpoint"`
	Registry    string `json:"acrLoginServer"`
	DataLake    string `json:"azureDataLakeStoreFileSystem"`
	LakeJobs    string `json:"azureDataLakeAnalyticsCatalogAndJob"`
	FrontDoor   string `json:"azureFrontDoorEndpointSuffix"`
	StorageSync string `json:"storageSyncEndpointSuffix"`
}

// audiences are the resources a token for ARM may name. az takes the first as the one to ask for.
func audiences(r *wire.Request) []string {
	if r.Host.Public {
		return []string{"https://management.core.windows.net/", "https://management.azure.com/"}
	}
	return []string{r.URL(wire.HostARM, "") + "/", "https://management.core.windows.net/", "https://management.azure.com/"}
}

func describeOld(r *wire.Request) cloudOld {
	return cloudOld{
		Gallery: r.URL(wire.HostARM, "") + "/", Graph: oldGraph(r), Portal: r.URL(wire.HostPortal, "") + "/",
		Authentication: cloudOldAuthority{Login: login(r), Audiences: audiences(r)},
	}
}

// login is the authority. Under own names it is the /adfs alias: clients skip instance discovery, which would ask login.microsoftonline.com, for it.
func login(r *wire.Request) string {
	if r.Host.Public {
		return r.URL(wire.HostLogin, "")
	}
	return r.URL(wire.HostLogin, "") + "/adfs"
}

// oldGraph is Azure AD Graph, which came before Microsoft Graph. Under own names both have one host.
func oldGraph(r *wire.Request) string {
	if r.Host.Public {
		return "https://graph.windows.net/"
	}
	return r.URL(wire.HostGraph, "") + "/"
}

func describe(r *wire.Request) cloud {
	c := cloud{
		Name: "AzureCloud", Portal: r.URL(wire.HostPortal, ""),
		Authentication:  cloudAuthority{Login: login(r), Audiences: audiences(r), Tenant: "common", Provider: "AAD"},
		ResourceManager: r.URL(wire.HostARM, "") + "/",
		Graph:           oldGraph(r), GraphAudience: oldGraph(r), MicrosoftGraph: r.URL(wire.HostGraph, "") + "/",
		// Services this platform does not run keep Azure's own addresses: the proxy refuses them by name.
		ActiveDirectoryLake: "https://datalake.azure.net/", Batch: "https://batch.core.windows.net/", Gallery: "https://gallery.azure.com/",
		Media: "https://rest.media.azure.net", SQLManagement: "https://management.core.windows.net:8443/",
		AppInsights: "https://api.applicationinsights.io", LogAnalytics: "https://api.loganalytics.io",
		OSSRDBMS: "https://ossrdbms-aad.database.windows.net",
		Suffixes: cloudSuffixes{
			KeyVault: r.Hosts.Authority(r.Host, wire.HostVault, "")[1:], ManagedHSM: "managedhsm.azure.net", Storage: "core.windows.net",
			SQL: "database.windows.net", MySQL: "mysql.database.azure.com", PostgreSQL: "postgres.database.azure.com",
			Registry: "azurecr.io", DataLake: "azuredatalakestore.net", LakeJobs: "azuredatalakeanalytics.net",
			FrontDoor: "azurefd.net", StorageSync: "afs.azure.net",
		},
	}
	if !r.Host.Public {
		c.Name = "Bulkhead" // az replaces the authority of a cloud named AzureCloud by Microsoft's
	}
	return c
}
