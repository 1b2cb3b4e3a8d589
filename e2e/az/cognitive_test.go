package az

import (
	"testing"

	"github.com/bulkheadhq/bulkhead/e2e/harness"
)

// TestCognitiveServices: accounts, their keys, usage and SKUs, by az's own commands.
func TestCognitiveServices(t *testing.T) {
	t.Parallel()
	c := administrator(t)
	c.set("$RG", harness.Name("rg-"), "$TEXTS", harness.Name("texts"), "$FACES", harness.Name("faces"))
	const of = " -g $RG -n $TEXTS"
	c.steps(t,
		step{"group create -n $RG -l westeurope", "", ""},
		step{
			"cognitiveservices account create" + of + " --kind TextAnalytics --sku F0 -l westeurope --yes", "[kind, sku.name, location, properties.provisioningState, properties.endpoint]",
			`["TextAnalytics","F0","westeurope","Succeeded","https://westeurope.api.cognitive.microsoft.com/"]`,
		},
		step{"cognitiveservices account show" + of, "name", `"$TEXTS"`},
		step{"cognitiveservices account keys list" + of, "[length(key1), length(key2), key1 == key2]", `[84,84,false]`},
		step{"cognitiveservices account keys regenerate" + of + " --key-name Key1", "[length(key1), length(key2)]", `[84,84]`},
		step{"cognitiveservices account list-usage" + of, "[0].[name.value, currentValue, limit]", `["TextAnalytics.Transactions",0,5000]`},
		step{"cognitiveservices account list-skus" + of, "length(@) > `0`", `true`},
		step{"cognitiveservices account list-skus --kind Face --location westeurope", "sort([].name)", `["F0","S0"]`},
		step{"cognitiveservices account list-kinds", "sort(@)", `["CognitiveServices","ComputerVision","Face","TextAnalytics"]`},
		step{
			"cognitiveservices account create -g $RG -n $FACES --kind Face --sku S0 -l westeurope --custom-domain $FACES --tags team=red --yes", "[properties.customSubDomainName, properties.endpoint, tags.team]",
			`["$FACES","https://$FACES.cognitiveservices.azure.com/","red"]`,
		},
		step{"cognitiveservices account update" + of + " --sku S", "sku.name", `"S"`},
		step{"cognitiveservices account list -g $RG", "length(@)", `2`},
		step{"cognitiveservices account network-rule list -g $RG -n $FACES", "[ipRules, virtualNetworkRules]", `[[],[]]`},
		step{"cognitiveservices account network-rule add -g $RG -n $FACES --ip-address 203.0.113.0/24", "networkAcls.ipRules[0].value || properties.networkAcls.ipRules[0].value", `"203.0.113.0/24"`},
		step{"cognitiveservices account network-rule remove -g $RG -n $FACES --ip-address 203.0.113.0/24", "length(properties.networkAcls.ipRules)", `0`},
		step{"cognitiveservices account identity assign" + of, "type", `"SystemAssigned"`},
		step{"cognitiveservices account identity show" + of, "type", `"SystemAssigned"`},
		step{"cognitiveservices account identity remove" + of, "[identity.principalId]", `[null]`},
		step{"cognitiveservices account update" + of + " --tags team=blue", "tags.team", `"blue"`},
		step{"cognitiveservices account delete" + of, "", ""},
		step{"cognitiveservices account list-deleted", "[?name==`\"$TEXTS\"`].[kind, sku.name, tags.team]", `[["TextAnalytics","S","blue"]]`},
		step{"cognitiveservices account show-deleted -l westeurope" + of, "[name, type(properties.deletionDate), type(properties.scheduledPurgeDate)]", `["$TEXTS","string","string"]`},
		step{"cognitiveservices account recover -l westeurope" + of, "", ""},
		step{"cognitiveservices account show" + of, "[kind, sku.name, tags.team]", `["TextAnalytics","S","blue"]`},
		step{"cognitiveservices account list-deleted", "[?name==`\"$TEXTS\"`]", `[]`},
		step{"cognitiveservices account delete" + of, "", ""},
		step{"cognitiveservices account purge -l westeurope" + of, "", ""},
		step{"cognitiveservices account list-deleted", "[?name==`\"$TEXTS\"`]", `[]`},
		step{"cognitiveservices account list -g $RG", "[].name", `["$FACES"]`},
	)
	for command, says := range map[string]string{
		"account recover -l westeurope" + of:            "There is no deleted account",
		"account deployment list -g $RG -n $FACES":      "deployments",
		"account commitment-plan list -g $RG -n $FACES": "commitmentPlans",
		"account list-models -g $RG -n $FACES":          "models",
		"commitment-tier list -l westeurope":            "commitmentTiers",
		"model list -l westeurope":                      "models",
	} {
		c.fails(t, "cognitiveservices "+command, says)
	}
	c.fails(t, "cognitiveservices account create -g $RG -n other --kind Face --sku S9 -l westeurope --yes", "The SKU 'S9' is invalid")
}
