// All machines of a subscription: the built-in initiative installs the Azure Monitor Agent on every Linux virtual machine and
// scale set, with a managed identity. It associates each with the rule that machines.bicep created. It does not install
// procline.
targetScope = 'subscription'

@description('Resource id of the rule. machines.bicep prints it as the output ruleId.')
param ruleId string

@description('Region of the assignment\'s identity, and of the resource group that the initiative creates.')
param location string = deployment().location

// "Deploy Linux Azure Monitor Agent with user-assigned managed identity-based auth and associate with Data Collection Rule"
var initiative = 'babf8e94-780b-4b4d-abaa-4830136a8725'

// The roles that its policies need: Contributor, and User Access Administrator to assign identities.
var roles = ['b24988ac-6180-42a0-ab88-20f7382dd24c', '18d7d88d-d35e-4fb5-a5c3-7773c20a72d9']

resource assignment 'Microsoft.Authorization/policyAssignments@2025-03-01' = {
  name: 'procline'
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    displayName: 'Azure Monitor Agent and process records on Linux machines'
    policyDefinitionId: tenantResourceId('Microsoft.Authorization/policySetDefinitions', initiative)
    parameters: {
      dcrResourceId: {
        value: ruleId
      }
      bringYourOwnUserAssignedManagedIdentity: {
        value: false
      }
      builtInIdentityResourceGroupLocation: {
        value: location
      }
    }
  }
}

resource rights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in roles: {
    name: guid(subscription().id, assignment.name, role)
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
      principalId: assignment.identity.principalId
      principalType: 'ServicePrincipal'
    }
  }
]
